"use strict";
/* Names, merges and splits: a line for each cluster that holds rows, or is part of a merge. The new part of a split that
   is ticked has a line of its own. On this page its number is `page.clusters` and the place of the proposal; `final` is its
   number in files. */
const ticked = new Set();
const places = new Map(); // of the proposals, by cluster
let before; // the clusters of the rows, and those in use, without what the form says
final = k => {
  const place = [...ticked].sort((a, b) => a - b).indexOf(k);
  return place < 0 ? k : page.clusters + place;
};

function edits() {
  const single = rows.data.single ?? rows.data.cluster;
  before = {cluster: single.slice(), used: [...new Set(single)]};
  page.joined = page.used; // what the tree of merges joins
  page.proposals.forEach(({split}, place) => places.set(split.cluster, place));
  const merged = page.merged.flatMap((into, k) => into === k ? [] : [k, into]);
  const all = [...new Set([...page.used, ...merged])].sort((a, b) => a - b);
  for (const k of all) line(k, all);
  rename();
  for (const k of all) if (places.has(k)) at("names").querySelector(`tr[data-cluster="${k}"]`).cells[3].append(tick(k));
}

const part = (k, other) => make("option", other === k ? "itself" : title(other), {value: other});

function line(k, all) {
  const line = at("names").tBodies[0].insertRow();
  line.dataset.cluster = k;
  const dot = make("span", "", {className: "dot"});
  dot.style.setProperty("--c", page.palette[k]);
  const head = make("th", dot, {scope: "row"});
  head.append(title(k));
  const name = make("input", "", {value: page.names[k] ?? "", ariaLabel: `name of cluster ${title(k)}`});
  const into = make("select", "", {ariaLabel: `cluster ${title(k)} is part of`});
  for (const field of [name, into]) field.dataset.cluster = k;
  into.append(...all.map(other => part(k, other)));
  into.value = page.merged[k] ?? k;
  line.append(head);
  for (const field of [name, into, ""]) Object.assign(line.insertCell(), {className: "left"}).append(field);
  name.addEventListener("input", () => {
    const typed = name.value.trim().replace(/\s+/g, " ");
    if (typed) page.names[k] = typed; else delete page.names[k];
    rename();
    place();
  });
  into.addEventListener("change", redraw);
}

function tick(k) {
  const {rows: [one, other], overlap} = page.proposals[places.get(k)];
  const box = make("input", "", {type: "checkbox"});
  box.dataset.split = k;
  box.addEventListener("change", () => split(k, box.checked));
  const label = make("label", box, {className: "tick"});
  const apart = overlap === null ? "too few for an overlap" : `overlap ${overlap.toFixed(2)}`;
  label.append(`${one.toLocaleString("en")} and ${other.toLocaleString("en")} rows, ${apart}`);
  return label;
}

/* Show a proposed split in the form and on the map, or take it back. */
function split(k, wanted) {
  const number = page.clusters + places.get(k);
  const selects = [...document.querySelectorAll("#names select")];
  if (wanted) {
    ticked.add(number);
    for (const select of selects) select.append(part(Number(select.dataset.cluster), number));
    line(number, [...parents().map(([other]) => other), number]);
  } else {
    ticked.delete(number);
    delete page.names[number];
    at("names").querySelector(`tr[data-cluster="${number}"]`).remove();
    for (const select of selects) {
      if (Number(select.value) === number) select.value = select.dataset.cluster;
      select.querySelector(`option[value="${number}"]`)?.remove();
    }
  }
  redraw();
}

/* The map by what the form says: splits first, then merges. */
function redraw() {
  const {change, second} = rows.data;
  const root = shownAs = roots();
  const cluster = before.cluster.map((k, i) => {
    const number = page.clusters + places.get(k);
    const kept = !change[i] || !ticked.has(number) ? k : change[i] === 1 ? number : second[i];
    return root(kept);
  });
  rows.data = {...rows.data, cluster};
  rename();
  page.used = [...new Set([...before.used, ...ticked].map(root))].sort((a, b) => a - b);
  place();
  offer();
}

/* A group has the first name among its clusters. */
function rename() {
  const root = roots(), names = new Map();
  for (const k of Object.keys(page.names).map(Number).sort((a, b) => a - b))
    if (!names.has(root(k))) names.set(root(k), page.names[k]);
  nameOf = k => names.get(k);
}

const parents = () =>
  [...document.querySelectorAll("#names select")].map(s => [Number(s.dataset.cluster), Number(s.value)]);

/* The first cluster of the group that each cluster is part of. */
function roots() {
  const parent = new Map(parents()), found = new Map();
  const root = k => {
    const seen = new Set();
    while ((parent.get(k) ?? k) !== k && !seen.has(k)) { seen.add(k); k = parent.get(k); }
    return seen.has(k) ? Math.min(...seen) : k;
  };
  for (const k of [...parent.keys()].sort((a, b) => a - b)) if (!found.has(root(k))) found.set(root(k), k);
  return k => found.get(root(k)) ?? k;
}

function edited() {
  const groups = new Map(), root = roots();
  for (const [k] of parents()) groups.set(root(k), [...(groups.get(root(k)) ?? []), final(k)]);
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
  redraw();
  at("edit").scrollIntoView();
}
