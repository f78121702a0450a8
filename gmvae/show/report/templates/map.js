"use strict";
/* The map of rows, as in reports and on the page of gmvae watch. `page` has the facts, `plot` is Bokeh's chart. */
let page;
const at = id => document.getElementById(id);
const make = (kind, text, attributes = {}) => {
  const element = Object.assign(document.createElement(kind), attributes);
  element.append(text ?? "");
  return element;
};
const dark = matchMedia("(prefers-color-scheme: dark)");
const RAMP = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
const short = value => Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
/* A cluster's number, or which one it is a new part of; and its name too. */
const partOf = k => page.proposals?.[k - page.clusters]?.split.cluster;
const title = k => partOf(k) === undefined ? String(k) : `new part of ${partOf(k)}`;
const brief = name => name.length > 28 ? `${name.slice(0, 27)}…` : name;
let nameOf = k => page.names[k];
const called = k => nameOf(k) ? `${title(k)} · ${brief(nameOf(k))}` : title(k);
let final = k => k, shownAs = k => k; // a cluster's number in files, and that of its group on the map
let rows, dots, centres, plot, known = [], chosen = [];

/* Colours of the page for what Bokeh draws on canvases. Each model is painted once, since every change of one is an
   event, even to the same colour. */
const painted = new WeakMap();
function paint(charts) {
  const style = getComputedStyle(document.documentElement);
  const [paper, ink, quiet, line] = ["--paper", "--ink", "--quiet", "--line"].map(v => style.getPropertyValue(v).trim());
  const colours = {
    Figure: {background_fill_color: paper, border_fill_color: paper, outline_line_color: line},
    Axis: {axis_line_color: quiet, major_tick_line_color: quiet, minor_tick_line_color: null,
      major_label_text_color: quiet, axis_label_text_color: quiet},
    Grid: {grid_line_color: line},
    Title: {text_color: ink},
    Text: {text_color: ink, background_fill_color: paper},
    Legend: {label_text_color: ink, background_fill_color: paper, border_line_color: null},
  };
  for (const chart of charts)
    for (const model of chart.references()) {
      const wanted = colours[model.type.endsWith("Axis") ? "Axis" : model.type];
      if (!wanted || painted.get(model) === paper) continue;
      painted.set(model, paper);
      model.setv(wanted);
    }
}

/* What the map can be coloured by: key, name, texts where it is of kinds. */
function colourings() {
  const found = [
    {key: "cluster", name: "cluster", kinds: page.used.map(k => [k, called(k)])},
    {key: "probability", name: "probability"},
    {key: "density", name: "log density, nats"},
  ];
  if (rows.data.stability) found.push({key: "stability", name: "stability"});
  if (page.classes) found.push({key: "label", name: "label", kinds: page.classes.map((name, c) => [c, name])});
  for (const column of page.columns)
    found.push({key: column.key, name: column.name, kinds: column.texts.length ? column.texts.map((t, c) => [c, t]) : null});
  return found;
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0;
}

function colourBy({key, name, kinds}) {
  const values = rows.data[key];
  const mapper = dots.glyph.fill_color.transform;
  const scale = at("scale");
  scale.replaceChildren();
  if (kinds) {
    const count = Math.max(page.palette.length, ...kinds.map(([c]) => c + 1));
    const palette = Array.from({length: count}, (_, c) => page.palette[c % page.palette.length]);
    mapper.setv({palette, low: -0.5, high: count - 0.5, low_color: "#8888"});
    for (const [c, text] of kinds.slice(0, 40)) {
      const item = make("span");
      const dot = make("span", "", {className: "dot"});
      dot.style.setProperty("--c", palette[c]);
      item.append(dot, text);
      scale.append(item);
    }
    if (kinds.length > 40) scale.append(`and ${kinds.length - 40} more`);
  } else {
    const [low, high] = [quantile(values, 0.01), quantile(values, 0.99)];
    mapper.setv({palette: RAMP, low, high: high > low ? high : low + 1, low_color: null});
    const ramp = make("span", "", {className: "ramp"});
    ramp.style.background = `linear-gradient(to right, ${RAMP})`;
    scale.append(`${name} ${Number(low.toPrecision(3))}`, ramp, Number(high.toPrecision(3)));
  }
  dots.glyph.fill_color = {field: key, transform: mapper};
}

/* The number of each cluster at the row nearest to the median of its rows, which itself can be in a gap. */
function place() {
  const {x, y, cluster} = rows.data;
  const found = {x: [], y: [], text: []};
  for (const k of page.used) {
    const mine = [...cluster.keys()].filter(i => cluster[i] === k);
    if (!mine.length) continue;
    const a = quantile(mine.map(i => x[i]), 0.5), b = quantile(mine.map(i => y[i]), 0.5);
    const far = i => (x[i] - a) ** 2 + (y[i] - b) ** 2;
    const spot = mine.reduce((best, i) => far(i) < far(best) ? i : best, mine[0]);
    found.x.push(x[spot]);
    found.y.push(y[spot]);
    found.text.push(called(k));
  }
  centres.data = found;
}

const rowName = i => page.ids ? page.ids[i] : `row ${rows.data.number[i].toLocaleString("en")}`;
const text = (column, i) => {
  const value = rows.data[column.key][i];
  return column.texts.length ? (column.texts[value] ?? "") : short(value);
};

function detail(i) {
  const data = rows.data, list = make("dl");
  const say = (key, value) => list.append(make("dt", key), make("dd", value));
  say("cluster", called(data.cluster[i]));
  say("probability", data.probability[i].toFixed(3));
  if (data.probability[i] < 0.995) say("second cluster", called(data.second[i]));
  if (data.stability) say("stability", data.stability[i].toFixed(3));
  say("log density", short(data.density[i]));
  if (data.label) say("label", page.classes[data.label[i]] ?? "unknown");
  for (const column of page.columns.slice(0, 60)) say(column.name, text(column, i));
  const title = make("h3", rowName(i));
  const parts = [title, list];
  const picture = data.picture?.[i] ?? -1;
  if (picture >= 0) {
    const {columns, width, height} = page.sheet;
    const tile = make("span", "", {className: "tile", role: "img", ariaLabel: `picture of ${rowName(i)}`});
    tile.style.backgroundPosition = `calc(${-(picture % columns) * width} * var(--px)) calc(${-Math.floor(picture / columns) * height} * var(--px))`;
    parts.splice(1, 0, tile);
  } else if (page.sheet) parts.push(make("p", "There is no room for its picture.", {className: "quiet"}));
  at("detail").replaceChildren(...parts);
}

function select(indices) {
  rows.selected.indices = indices;
}

function selected() {
  chosen = [...rows.selected.indices];
  const count = chosen.length.toLocaleString("en");
  at("selected").textContent = chosen.length ? `${count} row${chosen.length > 1 ? "s are" : " is"} selected.` : "No rows are selected.";
  at("csv").textContent = chosen.length ? "Save them as CSV" : "Save all rows as CSV";
  at("clear").hidden = !chosen.length;
  if (chosen.length === 1) detail(chosen[0]);
}

function save(name, content, type) {
  const link = make("a", "", {href: URL.createObjectURL(new Blob([content], {type})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function csv(indices) {
  const data = rows.data;
  const quote = value => /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value;
  const columns = [
    ["row", i => data.number[i]],
    ...(page.ids ? [["id", i => page.ids[i]]] : []),
    ["cluster", i => final(data.cluster[i])],
    ...(Object.keys(page.names).length ? [["cluster_name", i => nameOf(data.cluster[i]) ?? ""]] : []),
    ["probability", i => Number(data.probability[i].toPrecision(7))],
    ...(data.stability ? [["stability", i => Number(data.stability[i].toPrecision(7))]] : []),
    ["log_density", i => Number(data.density[i].toPrecision(7))],
    ...(data.label ? [["label", i => page.classes[data.label[i]] ?? ""]] : []),
    ["map_x", i => Number(data.x[i].toPrecision(7))],
    ["map_y", i => Number(data.y[i].toPrecision(7))],
    ...page.columns.map(c => [c.name, i => c.texts.length ? text(c, i) : Number(data[c.key][i].toPrecision(7))]),
  ];
  const lines = [columns.map(([name]) => quote(name)).join(",")];
  for (const i of indices) lines.push(columns.map(([, value]) => quote(value(i))).join(","));
  return lines.join("\n") + "\n";
}

function find(wanted) {
  wanted = wanted.trim();
  const places = [...rows.data.number.keys()];
  const i = places.find(i => page.ids ? page.ids[i] === wanted : String(rows.data.number[i]) === wanted);
  if (i !== undefined) { select([i]); detail(i); }
  else if (wanted) at("detail").replaceChildren(make("p", `There is no row ${wanted} here.`));
}

/* What the map can be coloured by, and which rows can be selected at once; what was chosen stays if it can. */
function offer() {
  known = colourings();
  options("colour", known.map(({name}, place) => [place, name]));
  options("pick", [["", "by hand"], ["doubtful", "doubtful rows (probability under 0.9)"],
    ...page.used.map(k => [k, `cluster ${called(k)}`])]);
  colourBy(known[at("colour").value]);
}

function options(id, wanted) {
  const list = at(id), before = list.selectedOptions[0]?.textContent;
  if (JSON.stringify([...list.options].map(o => [o.value, o.textContent])) ===
      JSON.stringify(wanted.map(([value, text]) => [String(value), text]))) return;
  list.replaceChildren(...wanted.map(([value, text]) => make("option", text, {value})));
  list.selectedIndex = Math.max(0, wanted.findIndex(([, text]) => text === before));
}

/* Follow another chart: the one on the page now. */
function follow(chart) {
  plot = chart;
  dots = plot.select_one("dots");
  rows = dots.data_source;
  centres = plot.select_one("numbers").data_source;
  if (innerWidth <= 760) plot.height = 380;
  rows.selected.properties.indices.change.connect(selected);
  rows.inspect.connect(() => {
    const [i] = rows.inspected.indices;
    if (i !== undefined && chosen.length !== 1) detail(i);
  });
}

const of = test => [...rows.data.cluster.keys()].filter(test);
const pick = value => value === "doubtful" ? of(i => rows.data.probability[i] < 0.9) : of(i => rows.data.cluster[i] === shownAs(Number(value)));

/* What the controls do. */
function control() {
  at("colour").addEventListener("change", () => colourBy(known[at("colour").value]));
  at("pick").addEventListener("change", () => select(at("pick").value === "" ? [] : pick(at("pick").value)));
  document.addEventListener("click", ({target}) => {
    if (!target.matches("button.show")) return;
    select(pick(target.dataset.cluster));
    at("map").scrollIntoView();
  });
  at("find").addEventListener("change", () => find(at("find").value));
  at("clear").addEventListener("click", () => { at("pick").value = ""; select([]); });
  at("csv").addEventListener("click", () =>
    save("rows.csv", csv(chosen.length ? chosen : [...rows.data.number.keys()]), "text/csv"));
}
