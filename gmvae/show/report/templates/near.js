"use strict";
/* The tree of merges, as in reports and on the page of gmvae watch. The number of merges at which it is cut outlives the
   slider, which is renewed with the page. */
let merges = 0;

/* Cut the tree, on the page or in what will be on it; the groups by their first cluster. */
function cut(root = document) {
  const slider = root.querySelector("#cut");
  if (!slider) return new Map();
  slider.value = merges;
  const count = Number(slider.value); // the tree can have fewer merges than wanted
  const groups = new Map((page.joined ?? page.used).map(k => [k, [k]]));
  for (const [one, other] of page.merges.slice(0, count)) {
    groups.get(one).push(...groups.get(other));
    groups.delete(other);
  }
  const line = (page.cuts[count] + (page.cuts[count + 1] ?? 104)) / 2;
  for (const end of ["x1", "x2"]) root.querySelector("#cut-line").setAttribute(end, count ? line : 0);
  const merged = [...groups.values()].filter(group => group.length > 1);
  root.querySelector("#groups").textContent = count
    ? `${groups.size} clusters: ${merged.map(group => group.join(", ")).join(" are merged; ")} are merged.`
    : "No clusters are merged.";
  const take = root.querySelector("#take");
  if (take) take.disabled = !count;
  return groups;
}

document.addEventListener("input", ({target}) => {
  if (target.id !== "cut") return;
  merges = Number(target.value);
  cut();
});
