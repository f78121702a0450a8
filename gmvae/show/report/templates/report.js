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

/* Names and merges: a line for each cluster that holds rows, or did before it was merged. */
function edits() {
  const lines = [...new Set([...page.used, ...page.merged.flatMap((into, k) => into === k ? [] : [k])])].sort((a, b) => a - b);
  const body = at("names").tBodies[0];
  for (const k of lines) {
    const line = body.insertRow();
    const dot = make("span", "", {className: "dot"});
    dot.style.setProperty("--c", page.palette[k]);
    const head = make("th", dot, {scope: "row"});
    head.append(k);
    const name = make("input", "", {value: page.names[k] ?? "", ariaLabel: `name of cluster ${k}`});
    name.dataset.cluster = k;
    const into = make("select", "", {ariaLabel: `cluster ${k} is part of`});
    into.dataset.cluster = k;
    for (const other of lines) into.append(make("option", other === k ? "itself" : other, {value: other}));
    into.value = page.merged[k] ?? k;
    line.append(head);
    line.insertCell().append(name);
    line.insertCell().append(into);
    name.addEventListener("input", () => {
      if (name.value.trim()) page.names[k] = name.value.trim(); else delete page.names[k];
      place();
    });
  }
}

function edited() {
  const groups = new Map();
  const parent = new Map([...document.querySelectorAll("#names select")].map(s => [Number(s.dataset.cluster), Number(s.value)]));
  const root = k => {
    const seen = new Set();
    while (parent.get(k) !== k && !seen.has(k)) { seen.add(k); k = parent.get(k); }
    return seen.has(k) ? Math.min(...seen) : k;
  };
  for (const k of parent.keys()) groups.set(root(k), [...(groups.get(root(k)) ?? []), k]);
  return {names: page.names, merge: [...groups.values()].filter(group => group.length > 1)};
}

/* The tree cut after so many merges: groups, and the form below. */
function cut() {
  const count = Number(at("cut").value);
  const groups = new Map(page.used.map(k => [k, [k]]));
  for (const [one, other] of page.merges.slice(0, count)) {
    groups.get(one).push(...groups.get(other));
    groups.delete(other);
  }
  const line = (page.cuts[count] + (page.cuts[count + 1] ?? 104)) / 2;
  for (const end of ["x1", "x2"]) at("cut-line").setAttribute(end, count ? line : 0);
  const merged = [...groups.values()].filter(group => group.length > 1);
  at("groups").textContent = count
    ? `${groups.size} clusters: ${merged.map(group => group.join(", ")).join(" are merged; ")} are merged.`
    : "No clusters are merged.";
  at("take").disabled = !count;
  return groups;
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
  at("cut")?.addEventListener("input", cut);
  at("take")?.addEventListener("click", take);
  at("export").addEventListener("click", () =>
    save("edits.json", JSON.stringify(edited(), null, 2) + "\n", "application/json"));
  document.documentElement.dataset.ready = "yes";
}
begin();
