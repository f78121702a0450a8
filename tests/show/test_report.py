"""A report is right: its numbers agree with those computed here in another way."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from pages import Text
from PIL import Image
from small_fits import quick, three_blobs

from gmvae import GMVAE
from gmvae.estimator.reporting import Context, content_of
from gmvae.partition.relabelling import Relabelling
from gmvae.partition.split import Split
from gmvae.show.report import charts, facts, page
from gmvae.show.report.cards import card, styles
from gmvae.show.report.pictures import Sheet


@pytest.fixture(scope="module")
def blobs_content():
    y, labels = three_blobs()
    model = quick(epochs=20).fit(y)
    context = Context("blobs", labels=labels, classes=("a", "<b>", "c"), history=model.history_)
    return content_of(model, y, context), model, y, labels


@pytest.mark.slow
def test_sizes_means_and_differences(blobs_content):
    content, model, y, _ = blobs_content
    clusters = model.predict(y)
    assert content.sizes.tolist() == np.bincount(clusters, minlength=3).tolist()
    words = Text(page.render(content)).words
    probability = model.predict_proba(y).max(1)
    for k in content.used:
        mine = clusters == k
        share, mean = facts.percent(mine.mean()), probability[mine].mean()
        assert " ".join(f"{mine.sum()} rows, {share}; mean probability {mean:.2f}".split()) in words
        for column in facts.distinctive(content, k):
            d = int(column["name"][1:])
            here_, others = y[mine, d].astype(float), y[~mine, d].astype(float)
            spread = np.sqrt((here_.var() + others.var()) / 2)
            assert column["difference"] == pytest.approx((here_.mean() - others.mean()) / spread, rel=1e-4)
            assert column["mean"] == facts.number(here_.mean())


def test_the_worst_rows_and_the_matrix_of_overlaps(blobs_content):
    content, model, y, labels = blobs_content
    worst = np.argsort(model.score_samples(y))[:12]
    assert [one["row"] for one in facts.outliers(content)] == worst.tolist()
    q = model.predict_proba(y)
    found = facts.near(content)
    j, k = found["clusters"][:2]
    assert found["matrix"][0][1] == pytest.approx(
        (q[:, j] * q[:, k]).sum() / min(q[:, j].sum(), q[:, k].sum())
    )
    counts = np.array(facts.confusion(content)["counts"])
    for label in range(3):
        for place, cluster in enumerate(content.used):
            assert counts[label, place] == ((labels == label) & (model.predict(y) == cluster)).sum()


def test_clusters_merge_nearest_first_and_overlaps_are_measured_anew():
    q = np.array([[0.5, 0.5, 0, 0]] * 4 + [[0, 0.2, 0.8, 0]] * 4 + [[0, 0, 0, 1.0]] * 4)
    found = facts.merges(q, [0, 1, 2, 3])
    assert [(m["one"], m["other"]) for m in found] == [([0], [1]), ([0, 1], [2])]
    assert found[0]["overlap"] == pytest.approx(4 * 0.25 / 2)
    assert found[1]["overlap"] == pytest.approx(4 * 0.16 / 3.2)


def test_the_tree_follows_the_merges_and_grows_to_the_right():
    steps = [
        {"one": [0], "other": [2], "overlap": 0.5 / 2**0.5},
        {"one": [1], "other": [3], "overlap": 0.125},
        {"one": [0, 2], "other": [1, 3], "overlap": 0.2},
    ]
    found = facts.tree(steps, [0, 1, 2, 3, 4])
    assert found["leaves"] == [0, 2, 1, 3, 4]
    assert found["cuts"] == pytest.approx([0, 25, 100, 100])  # by factors of the overlap
    assert found["paths"][0] == "M0.00 0.50H25.00V1.50H0.00"
    assert found["paths"][2] == "M25.00 1.00H100.00V3.00H100.00"


def test_a_strip_has_the_distribution_on_each_side():
    values = np.repeat([0.0, 1.0], [30, 10])
    found = facts.strip(values, np.arange(40) < 30)
    assert (found["low"], found["high"]) == ("0", "1")
    tops = [[float(top) for top in re.findall(r"V([\d.]+)H", found[side])] for side in ("mine", "others")]
    assert tops[0] == [0.0] + [1.0] * 23  # the highest bar goes all the way up
    assert tops[1] == [1.0] * 23 + [2.0]


@pytest.mark.slow
def test_texts_of_the_data_are_escaped(blobs_content):
    html = page.render(blobs_content[0])
    assert "&lt;b&gt;" in html
    body = html.partition("<body>")[2].partition("<script>")[0]
    assert not re.search("<b>(?!Warning|Note)", body)
    embedded = re.search(r'id="page-data">(.*?)</script>', html)[1]
    assert "<" not in embedded
    assert json.loads(embedded)["classes"] == ["a", "<b>", "c"]


@pytest.mark.slow
def test_a_report_loads_nothing(blobs_content):
    html = page.render(blobs_content[0])
    assert "default-src 'none'" in html
    assert not re.search(r"<(script|link|img|iframe)[^>]*\s(src|href)=", html)


def test_a_number_of_clusters_that_nobody_chose_is_not_said_to_be_found(blobs_content):
    said = Text(page.render(blobs_content[0])).words
    assert "The number of clusters, 3, was set or left at its default, not chosen from the data" in said


def edited(content, q, p_clusters, edits, **changes):
    """A content with other probabilities, (N, K), and edits applied to them."""
    made, clusters = content.portrait, q.shape[1]
    shown = replace(
        made,
        probabilities=edits.applied(q, made.x[: len(q)]),
        p_clusters=p_clusters,
        x=made.x[: len(q)],
    )
    groups = edits.groups(clusters).tolist()
    return replace(content, portrait=shown, labels=None, merged=groups, split=edits.split, **changes)


def test_without_labels_probabilities_are_compared_by_the_clusters_that_were_learned(blobs_content):
    rng = np.random.default_rng(0)
    q = rng.dirichlet([1, 1, 1, 1], 200)
    other = rng.integers(4, size=200)
    x_size = blobs_content[0].portrait.x.shape[1]
    split = Split(3, (2.0,) + (0.0,) * (x_size - 1), 0.0, 0.5)
    for edits, parts in (
        (Relabelling({}, ((0, 1),)), {0: 0, 1: 0, 2: 2, 3: 3}),
        (Relabelling({}, (), (split,)), {k: k for k in range(4)}),
        (Relabelling({}, ((2, 4),), (split,)), {0: 0, 1: 1, 2: 2, 3: 2}),
    ):
        joined = np.zeros_like(q)
        for k, whole in parts.items():
            joined[:, whole] += q[:, k]
        right = joined.argmax(1) == np.array([parts[k] for k in other.tolist()])
        found = facts.trust(edited(blobs_content[0], q, other, edits))
        share = sum(one["rows"] * one["right"] for one in found["bins"]) / 200
        assert share == pytest.approx(right.mean())
        claimed = sum(one["rows"] * one["claimed"] for one in found["bins"]) / 200
        assert claimed == pytest.approx(joined.max(1).mean())


def test_edits_are_said_also_if_the_number_was_chosen(blobs_content):
    rng = np.random.default_rng(0)
    q, other = rng.dirichlet([1, 1, 1], 50), np.zeros(50, dtype=int)
    merged = Relabelling({}, ((0, 2),))
    content = edited(blobs_content[0], q, other, merged)
    assert "3 clusters were learned" in facts.summary(content)[1]
    assert facts.summary(content)[1].endswith("Then, by hand, 1 cluster was merged into others.")
    chosen = content.facts | {"choice": {"sure": True, "reason": "3 is the greatest stable number"}}
    said = facts.summary(replace(content, facts=chosen))[1]
    assert "was chosen: 3 is the greatest stable number. Then, by hand, 1 cluster was merged" in said


def test_missing_values_of_text_columns_are_not_shown_as_categories(blobs_content):
    content = blobs_content[0]
    kinds = np.zeros((len(content.y), 2))
    kinds[::2, 1] = kinds[1::2, 0] = 1
    kinds[:3] = 0.52, 0.48  # filled with the shares of the categories
    with_kinds = replace(
        content,
        y=np.hstack([content.y[:, :1], kinds]),
        features=("a", "kind=x", "kind=y"),
        categories={"kind": ("x", "y")},
    )
    (_, kind) = with_kinds.columns
    assert kind.values[:6].tolist() == [-1, -1, -1, 0, 1, 0]
    assert set(kind.values[3:]) == {0, 1}


@pytest.fixture
def with_kinds(blobs_content):
    """Rows with a number ``a`` and a text ``kind``; styles along the two numbers of w that are known."""
    content = blobs_content[0]
    kinds = np.eye(2)[np.arange(len(content.y)) % 2]
    a = np.linspace(0, 10, len(content.y))
    samples, styles = np.zeros((3, 10, 3)), np.zeros((2, 3, 3, 3))
    samples[:, :, 1:] = [[0.7, 0.4]] * 3 + [[0.1, 0.2]] * 7
    styles[0, :, :, 0] = 5, 6, 7
    styles[0, :, :, 1:] = [1, 0], [0.6, 0.4], [0.2, 0.8]
    styles[1, :, :, 1:] = 1, 0
    return replace(
        content,
        y=np.column_stack([a, kinds]),
        features=("a", "kind=x", "kind=<y>"),
        categories={"kind": ("x", "<y>")},
        portrait=replace(content.portrait, samples=samples, styles=styles),
    )


def test_generated_rows_have_the_most_probable_text(with_kinds):
    (made,) = [c for c in card(with_kinds, 1)["generated"] if c.name == "kind"]
    assert [made.texts[code] for code in made.values] == ["x"] * 3 + ["<y>"] * 3
    part = page.render(with_kinds).partition("Generated rows")[2].partition("</table>")[0]
    assert re.findall("<th[^>]*>(.*?)</th>", part).count("kind") == 1
    assert re.findall("<td>(.*?)</td>", part).count("&lt;y&gt;") == 3


def test_styles_of_a_table_are_lines_from_end_to_end(with_kinds):
    number, text = styles(with_kinds, 0, with_kinds.columns)
    one, other = number["axes"]
    assert (one["first"], one["last"], other["first"], other["last"]) == ("5", "7", "0", "0")
    low, high = facts.span(with_kinds.y[:, 0])
    assert low == pytest.approx(0.1)
    middle = 1 - 6 / high  # the scale starts at 0, where the other line is
    assert one["paths"] == [f"M0.000 {1 - 5 / high:.3f}L0.500 {middle:.3f}L1.000 {1 - 7 / high:.3f}"]
    one, other = text["axes"]
    assert (one["first"], one["last"], other["last"]) == ("x", "<y>", "x")
    falling, rising = "M0.000 0.000L0.500 0.400L1.000 0.800", "M0.000 1.000L0.500 0.600L1.000 0.200"
    assert one["paths"] == [falling, rising]
    assert len(other["paths"]) == 1
    made = with_kinds.portrait
    alone = replace(with_kinds, portrait=replace(made, styles=np.stack([made.styles[0]] * 2)))
    assert [len(one["axes"]) for one in styles(alone, 0, alone.columns)] == [1, 1]  # w has one number


@pytest.mark.slow
def test_a_wide_table_keeps_the_columns_that_fit(blobs_content, monkeypatch):
    content = blobs_content[0]
    monkeypatch.setattr(charts, "NUMBERS", 2 * len(content.y))
    shown = charts.shown_columns(content)
    worth = abs(content.contrast.difference).max(0)
    assert shown == sorted(np.argsort(-worth)[:2].tolist())
    assert "1 of 3 columns are left out" in Text(page.render(content)).words


@pytest.mark.parametrize("shape", [(1, 4, 6), (3, 4, 6), (1, 80, 40)])
def test_pictures_are_at_their_place_in_the_sheet(shape):
    y = np.zeros((7, *shape))
    y[5] = 1
    sheet = Sheet(y.reshape(7, -1), shape)
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.url.partition(",")[2]))).convert("L"))
    row, column = divmod(5, sheet.columns)
    tile = (
        slice(row * sheet.height, (row + 1) * sheet.height),
        slice(column * sheet.width, (column + 1) * sheet.width),
    )
    assert whole[tile].mean() > 230
    assert whole.sum() / 255 == pytest.approx(sheet.height * sheet.width, rel=0.15)
    assert f"{-column * sheet.width}*" in sheet.style(5)
    assert max(sheet.height, sheet.width) <= 32


@pytest.mark.slow
def test_an_array_with_labels_in_python(tmp_path):
    y, labels = three_blobs()
    model = quick().fit(y)
    names = np.array(["low", "mid", "high"])[labels]
    model.report(y, tmp_path / "r.html", labels=names)
    words = Text((tmp_path / "r.html").read_text()).words
    assert "low" in words
    assert "n_clusters=3" in words
    with pytest.raises(ValueError, match="3 labels for 240 rows"):
        model.report(y, tmp_path / "r.html", labels=names[:3])
    with pytest.raises(ValueError, match=r"must end in \.html"):
        model.report(y, tmp_path / "r.pdf")


def test_more_rows_than_a_page_holds_are_thinned_out(monkeypatch):
    monkeypatch.setattr("gmvae.estimator.reporting.ROWS", 100)
    y, labels = three_blobs()
    model = quick().fit(y)
    ids = [f"r{i}" for i in range(240)]
    content = content_of(model, y, Context(labels=labels, ids=ids))
    assert content.numbers.tolist() == list(range(0, 240, 3))
    assert content.ids == ids[::3]
    np.testing.assert_array_equal(content.labels, labels[::3])
    assert "240 rows (80 of them, evenly spaced" in facts.summary(content)[0]


@pytest.mark.slow
def test_images_are_on_the_sheet(tmp_path):
    y = np.random.default_rng(0).random((60, 36))
    model = GMVAE(
        n_clusters=2, epochs=1, random_state=0, image_shape=(6, 6), hidden_size=16, network="fc"
    ).fit(y)
    content = content_of(model, y, Context())
    html = page.render(content)
    assert html.count('class="tile"') >= 2 * 10
    assert content.columns == []
    names = [candidate["name"] for candidate in model.start_["candidates"]]
    assert names
    assert all(name in Text(html).words for name in names)


# ---- the command
