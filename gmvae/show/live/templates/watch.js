"use strict";
/* Change an element into a fresh one in place. Open details, the focus and the scroll position stay. */
function renew(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const {name, value} of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const {name} of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  const mine = [...old.childNodes], theirs = [...fresh.childNodes];
  for (const [i, node] of theirs.entries()) if (mine[i]) renew(mine[i], node); else old.append(node);
  for (const node of mine.slice(theirs.length)) node.remove();
}

const all = kind => Bokeh.documents[0].roots().flatMap(root => [...root.references()]).filter(model => model.type === kind);
const charts = () => all("Figure");

/* Show what the server has pushed: the facts of the map, and the cards. */
async function show(pushed) {
  const html = pushed.data.html[0];
  const sheet = html.match(/url\((data:image[^)]+)\)/)?.[1];
  if (sheet) await Object.assign(new Image(), {src: sheet}).decode(); // else pictures would vanish for a moment
  if (html !== pushed.data.html[0]) return; // there is something newer
  const before = page?.title;
  page = JSON.parse(pushed.data.page[0]);
  if (page?.title !== before) merges = 0;
  at("shown").hidden = !page;
  if (page) {
    const chart = charts().find(chart => chart.name === "map");
    if (chart !== plot) {
      follow(chart);
      chosen = [];
      at("detail").replaceChildren(make("p", "Hover over a point, tap it, or type the number of a row.", {className: "quiet"}));
    }
    place();
    offer();
    selected();
  }
  const fresh = make("div", "", {id: "details", innerHTML: html});
  cut(fresh);
  renew(at("details"), fresh);
  if (at("cut")) at("cut").value = merges;
}

async function begin() {
  while (!window.Bokeh?.documents[0]?.get_model_by_name("place")) await new Promise(done => setTimeout(done, 30));
  const pushed = Bokeh.documents[0].get_model_by_name("place").tags[0];
  control();
  await show(pushed);
  pushed.properties.data.change.connect(() => show(pushed));
  let waiting = false;
  const repaint = () => {
    waiting = false;
    paint(charts());
  };
  Bokeh.documents[0].on_change(() => {
    if (!waiting) requestAnimationFrame(repaint);
    waiting = true;
  });
  dark.addEventListener("change", repaint);
  repaint();
  document.documentElement.dataset.ready = "yes";
}
begin();
