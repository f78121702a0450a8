"""The page: fill the templates with the content of a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gmvae.partition.metrics import agreement
from gmvae.partition.split import halves, overlap_of_halves
from gmvae.show.colours import colour
from gmvae.show.content import Content
from gmvae.show.report import charts, facts
from gmvae.show.report.cards import card
from gmvae.show.report.pictures import Sheet
from gmvae.store.files import write_whole

PICTURES = 5_000
"""Maximum number of images in the page, besides those on cards."""
MEASURES = {"acc": "accuracy, one to one", "acc_aae": "accuracy (AAE)", "nmi": "NMI", "ari": "ARI"}


ENVIRONMENT = Environment(
    loader=PackageLoader("gmvae.show.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""The templates, with the names and filters that they use."""


def write(content: Content, path: Path) -> None:
    """Write the report. An existing file is replaced once the new one is complete."""
    whole = render(content)
    write_whole(path, lambda part: part.write_text(whole, encoding="utf-8"))


def render(content: Content) -> str:
    """Return the report as one self-contained HTML file."""
    shown = charts.shown_columns(content)
    known = variables(content, sorted(content.used, key=lambda k: -content.sizes[k]))
    source = charts.rows(content, shown, known["pictures"])
    splits, source.data["change"] = _splits(content)
    if content.single is not None:
        source.data["single"] = content.single.astype(np.float32)
    items = [
        json_item(chart) for chart in (charts.latent_map(content, source), *charts.by_epoch(content.history))
    ]
    return ENVIRONMENT.get_template("report.html").render(
        known,
        measures=_measures(content),
        views=list(content.maps),
        place="",
        left_out=len(content.columns) - len(shown),
        about=_about(content),
        page=page_facts(content, shown, known["sheet"], known["near"]) | splits,
        items=items,
        bokeh=Markup("\n".join(Resources(mode="inline", components=["bokeh", "bokeh-gl"]).js_raw)),  # noqa: S704
        style=text_of("report.css"),
        map_code=text_of("map.js"),
        near_code=text_of("near.js"),
        form_code=text_of("form.js"),
        code=text_of("report.js"),
    )


def variables(content: Content, order: Sequence[int]) -> dict[str, Any]:
    """What the templates of cards and tables show, with the clusters in this order."""
    cards = [card(content, k) for k in order]
    odd = facts.outliers(content)
    sheet, places = _sheet(content, cards, odd)
    pictures = np.full(len(content.y), -1)
    pictures[list(places)] = list(places.values())
    return {
        "content": content,
        "facts": content.facts,
        "summary": facts.summary(content),
        "cards": cards,
        "outliers": odd,
        "sheet": sheet,
        "places": places,
        "pictures": pictures if sheet else None,
        "generated": len(places),
        "near": facts.near(content),
        "confusion": facts.confusion(content),
        "trust": facts.trust(content),
    }


def script(value: Any) -> Markup:
    """JSON that is safe in a script element, whatever texts it contains."""
    text = json.dumps(value, separators=(",", ":"), default=float)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704


def text_of(name: str) -> Markup:
    """A style sheet or a script of this package, as it is."""
    return Markup((files("gmvae.show.report") / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704


def _sheet(
    content: Content, cards: list[dict[str, Any]], odd: list[dict[str, Any]]
) -> tuple[Sheet | None, dict[int, int]]:
    """All pictures on one sheet, first those of rows, then generated ones; and the position of each row."""
    if not content.of_images:
        return None, {}
    there = range(len(content.y)) if content.pictured is None else content.pictured.tolist()
    spaced = there[:: -(-len(there) // PICTURES)]
    on_cards = [i for card in cards for i in (*card["typical"], *card["borderline"])]
    wanted = dict.fromkeys((*spaced, *on_cards, *(one["row"] for one in odd)))
    made = content.portrait
    size = content.y.shape[1]
    parts = (content.y[list(wanted)], made.samples.reshape(-1, size), *made.styles.reshape(2, -1, size))
    return Sheet(np.concatenate(parts), content.y_shape), {row: place for place, row in enumerate(wanted)}


def _splits(content: Content) -> tuple[dict[str, Any], np.ndarray]:
    """The splits of clusters that there are, and one proposal for each cluster that is not a merged one; and
    what the proposal for its cluster does to each row, (N,): 0 for nothing, 1 if it goes to the new part, 2
    if its second cluster is then more probable than either part."""
    found, change = [], np.zeros(len(content.clusters), dtype=np.int32)
    merged = {into for one, into in enumerate(content.merged) if into != one}
    others = content.portrait.probabilities[np.arange(len(change)), content.second]
    for k in content.used:
        mine = np.flatnonzero(content.clusters == k)
        x = content.portrait.x[mine]
        if k in merged or (split := halves(x, k)) is None:
            continue
        part = split.part(x)
        greater = content.probability[mine] * np.maximum(part, 1 - part)
        change[mine] = np.where(greater < others[mine], 2, part > 0.5)
        stay, go, _ = np.bincount(change[mine], minlength=3).tolist()
        found.append({"split": split.to_json(), "rows": [stay, go], "overlap": overlap_of_halves(x)})
    palette = [colour(k) for k in range(content.count + len(found))]
    return {"split": [one.to_json() for one in content.split], "proposals": found, "palette": palette}, change


def _measures(content: Content) -> list[list[str]]:
    found = content.facts.get("measures") or {}
    if content.edited and content.labels is not None:
        known = content.labels >= 0  # the recorded measures are those of the clusters that were learned
        found = agreement(content.labels[known], content.portrait.probabilities[known]) if known.any() else {}
    return [
        [name, *(f"{found[one]:.3f}" if one in found else "" for one in (key, f"test_{key}"))]
        for key, name in MEASURES.items()
        if key in found or f"test_{key}" in found
    ]


def _about(content: Content) -> dict[str, Any]:
    """Facts about the fit, in words."""
    facts_ = content.facts
    found = {"data": facts_.get("data"), "rows": f"{content.total:,}", "epochs": facts_.get("epochs")}
    if facts_.get("elbo") is not None:
        found["bound"] = f"{facts_['elbo']:.3f} nats per observation"
    found["likelihood"] = facts_.get("likelihood")
    found["made with"] = ", ".join(
        f"{name} {version}" for name, version in facts_.get("versions", {}).items()
    )
    found["SHA-256 of the data"] = facts_.get("sha256")
    return {key: value for key, value in found.items() if value}


def page_facts(
    content: Content, shown: list[int], sheet: Sheet | None, near: dict[str, Any]
) -> dict[str, Any]:
    """The values that the page's script needs."""
    columns = [content.columns[place] for place in shown]
    return {
        "title": content.title,
        "maps": list(content.maps),
        "clusters": content.count,
        "used": content.used,
        "names": {str(k): name for k, name in content.names.items()},
        "merged": list(content.merged),
        "merges": [[step["one"][0], step["other"][0]] for step in near["merges"]],
        "cuts": near["tree"]["cuts"],
        "palette": [colour(k) for k in range(content.count)],
        "classes": None
        if content.labels is None
        else [content.label(c) for c in range(1 + max(content.labels))],
        "ids": None if content.ids is None else list(content.ids),
        "columns": [
            {"key": f"c{place}", "name": c.name, "texts": c.texts}
            for place, c in zip(shown, columns, strict=True)
        ],
        "sheet": None
        if sheet is None
        else {"columns": sheet.columns, "width": sheet.width, "height": sheet.height},
    }


ENVIRONMENT.filters |= {"number": facts.number, "percent": facts.percent, "script": script}
ENVIRONMENT.globals |= {"colour": colour}
