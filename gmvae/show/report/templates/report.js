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
