"use strict";
const read = id => JSON.parse(document.getElementById(id).textContent);

function view(number) {
  const suffix = Number(number) || "";
  if (!view.first) view.first = {x: rows.data.x, y: rows.data.y};
  const [x, y] = suffix ? [rows.data[`x${suffix}`], rows.data[`y${suffix}`]] : [view.first.x, view.first.y];
  rows.data = {...rows.data, x, y};
  place();
  plot.reset.emit();
}

/* Names, merges and splits: a line for each cluster that holds rows, or did before it was merged. The new part of a
   split that is ticked has a line of its own. On this page its number is `page.clusters` and the place of the proposal;
   `final` is its number in files. */
const ticked = new Set();
final = k => {
  const place = [...ticked].sort((a, b) => a - b).indexOf(k);
  return place < 0 ? k : page.clusters + place;
};
const proposals = () => page.proposals.map(({split}, place) => [split.cluster, page.clusters + place]);
const lines = () => [
  ...new Set([...page.used, ...page.merged.flatMap((into, k) => into === k ? [] : [k]), ...ticked]),
].sort((a, b) => a - b);

function edits() {
  const before = new Map(parents());
  const body = at("names").tBodies[0];
  body.replaceChildren();
  const all = lines();
  for (const k of all) {
    const line = body.insertRow();
    const dot = make("span", "", {className: "dot"});
    dot.style.setProperty("--c", page.palette[k]);
    const head = make("th", dot, {scope: "row"});
    head.append(title(k));
    const name = make("input", "", {value: page.names[k] ?? "", ariaLabel: `name of cluster ${title(k)}`});
    name.dataset.cluster = k;
    const into = make("select", "", {ariaLabel: `cluster ${title(k)} is part of`});
    into.dataset.cluster = k;
    for (const other of all) into.append(make("option", other === k ? "itself" : title(other), {value: other}));
    into.value = all.includes(before.get(k)) ? before.get(k) : page.merged[k] ?? k;
    line.append(head);
    line.insertCell().append(name);
    line.insertCell().append(into);
    const last = Object.assign(line.insertCell(), {className: "left"});
    const number = proposals().find(([cluster]) => cluster === k)?.[1];
    if (number !== undefined) last.append(tick(k, number));
    name.addEventListener("input", () => {
      if (name.value.trim()) page.names[k] = name.value.trim(); else delete page.names[k];
      place();
    });
  }
}

function tick(k, number) {
  const {rows: [one, other], overlap} = page.proposals[number - page.clusters];
  const box = make("input", "", {type: "checkbox", checked: ticked.has(number)});
  box.dataset.split = k;
  box.addEventListener("change", () => {
    split(k, number, box.checked);
    document.querySelector(`[data-split="${k}"]`).focus();
  });
  const label = make("label", box, {className: "tick"});
  label.append(`${one.toLocaleString("en")} and ${other.toLocaleString("en")} rows, overlap ${overlap.toFixed(3)}`);
  return label;
}

/* Show a proposed split on the map and in the form, or take it back. */
function split(k, number, wanted) {
  if (wanted) ticked.add(number); else { ticked.delete(number); delete page.names[number]; }
  const {cluster, part} = rows.data;
  rows.data = {...rows.data, cluster: cluster.map((c, i) => part[i] && (c === k || c === number) ? (wanted ? number : k) : c)};
  page.used = page.used.filter(c => c !== number).concat(wanted ? [number] : []);
  place();
  offer();
  edits();
}

const parents = () =>
  [...document.querySelectorAll("#names select")].map(s => [Number(s.dataset.cluster), Number(s.value)]);

function edited() {
  const groups = new Map();
  const parent = new Map(parents());
  const root = k => {
    const seen = new Set();
    while (parent.get(k) !== k && !seen.has(k)) { seen.add(k); k = parent.get(k); }
    return seen.has(k) ? Math.min(...seen) : k;
  };
  for (const k of parent.keys()) groups.set(root(k), [...(groups.get(root(k)) ?? []), final(k)]);
  const parts = [...ticked].sort((a, b) => a - b).map(k => page.proposals[k - page.clusters].split);
  return {
    names: Object.fromEntries(Object.entries(page.names).map(([k, name]) => [final(Number(k)), name])),
    merge: [...groups.values()].filter(group => group.length > 1),
    ...(page.split.length + parts.length ? {split: [...page.split, ...parts]} : {}),
  };
}

function take() {
  for (const [first, group] of cut())
    for (const k of group) document.querySelector(`#names select[data-cluster="${k}"]`).value = Math.min(first, ...group);
  at("edit").scrollIntoView();
}

async function begin() {
  page = read("page-data");
  const items = [...document.querySelectorAll("script[id^=item-]")].map(script => read(script.id));
  for (const [place, item] of items.entries()) await Bokeh.embed.embed_item(item, at(`chart-${place}`));
  const charts = Bokeh.documents.flatMap(document => document.roots());
  follow(charts.find(chart => chart.name === "map"));
  paint(charts);
  dark.addEventListener("change", () => paint(charts));
  place();
  edits();
  offer();
  control();
  at("view")?.addEventListener("change", () => view(at("view").value));
  at("take")?.addEventListener("click", take);
  at("export").addEventListener("click", () =>
    save("edits.json", JSON.stringify(edited(), null, 2) + "\n", "application/json"));
  document.documentElement.dataset.ready = "yes";
}
begin();
