"""What the page shows of one run: the map and the cards of a report, updated in place."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from bokeh.document import Document
from overviews import NAMES, overview
from small_fits import quick, three_blobs

from gmvae.assess.overview import Overview
from gmvae.show.live.details import Details
from gmvae.show.live.latest import PATIENCE, Latest, plane
from gmvae.show.live.page import Page
from gmvae.show.live.runs import Runs
from gmvae.store.files import write_arrays, write_sealed
from gmvae.store.run_folder import RunFolder


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run(tmp_path):
    """A run's folder, and functions that keep an overview in it and answer a request with one."""
    path = tmp_path / "run"
    path.mkdir()
    write_sealed(path / "config.json", {"name": "run", "data": NAMES, "choice": None})

    def write(name: str, found: Overview) -> None:
        write_arrays(path / name / "overview.npz", asdict(found))

    path_of = type("Folder", (), {})()
    path_of.path = path
    path_of.keep = lambda found: write("plots", found)
    path_of.answer = lambda found: write("watch", found)
    return path_of


def test_the_last_overview_is_shown_until_the_run_answers(run):
    clock = Clock()
    run.keep(overview(40))
    run.answer(overview(8, seed=1))
    latest = Latest(run.path, clock)
    latest.look()
    assert (run.path / "watch" / "overview").exists()  # requested
    assert len(latest.points) == 40
    latest.look()
    assert latest.read == 1  # too few rows, so soon
    run.answer(overview(80, seed=2))
    latest.look()
    assert len(latest.points) == 80
    clock.now = PATIENCE
    run.answer(overview(8, seed=3))
    latest.look()
    assert len(latest.points) == 8
    latest.close()
    assert not (run.path / "watch").exists()


@pytest.mark.parametrize("damage", ["half", "other version", "no folder"])
def test_a_file_that_cannot_be_read_is_passed_over(run, damage):
    run.keep(overview())
    latest = Latest(run.path)
    if damage == "no folder":
        shutil.rmtree(run.path)
    elif damage == "half":
        stored = run.path / "plots" / "overview.npz"
        stored.write_bytes(stored.read_bytes()[:500])
    else:
        write_arrays(run.path / "plots" / "overview.npz", {"x": np.zeros((3, 2))})
    latest.look()
    assert latest.overview is None
    assert latest.content("run") is None


def test_pictures_are_not_mirrored_against_the_one_before():
    x = np.random.default_rng(0).normal(size=(200, 5)) * [5, 3, 1, 1, 1]
    _, first = plane(x, None)
    _, second = plane(x, -first)
    np.testing.assert_allclose(second, -first)


def pushed(details: Details) -> tuple[str, dict]:
    return details.pushed.data["html"][0], json.loads(details.pushed.data["page"][0])


def test_cards_and_map_have_the_names_of_the_data(run):
    run.keep(overview(epoch=7))
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "runs/<i>", "in progress")
    html, page = pushed(details)
    assert "epoch 7" in html
    assert "2 clusters in 400 rows" in html
    assert html.index('id="cluster-0"') < html.index('id="cluster-1"')
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.partition('id="clusters"')[2]
    assert "runs/&lt;i&gt;" in html
    assert [column["name"] for column in page["columns"]] == ["<b>", "width", "height"]
    assert page["classes"] == ["ant", "bee"]
    data = details.source.data
    np.testing.assert_allclose(data["c1"], latest.overview.y[:, 1], rtol=1e-6)
    assert data["number"].tolist() == list(range(0, 400, 10))
    # cluster 1 is 5 wider than the others, by about five standard deviations
    card = html.partition('id="cluster-1"')[2]
    assert card.index("width") < card.index("Typical rows")


def test_rows_that_stay_stay_selected_and_the_chart_stays(run):
    run.keep(overview(40))
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", "in progress")
    plot = details.place.children[0]
    details.source.selected.indices = [1, 4, 39]  # rows 10, 40 and 390
    run.answer(overview(80, seed=1, epoch=2))
    latest.look()
    details.update(latest, "run", "in progress")
    assert details.place.children == [plot]
    assert details.source.data["number"][details.source.selected.indices].tolist() == [10, 40, 390]
    np.testing.assert_allclose(details.source.data["x"], latest.points[:, 0])
    assert "epoch 2" in pushed(details)[0]


def test_another_run_gets_a_chart_of_its_own(run, tmp_path):
    run.keep(overview())
    shutil.copytree(run.path, tmp_path / "other")
    details, charts = Details(), []
    for path in (run.path, tmp_path / "other"):
        latest = Latest(path)
        latest.look()
        details.update(latest, path.name, "finished")
        charts += details.place.children
    assert charts[0] is not charts[1]
    details.update(None, "", "")
    assert pushed(details) == ("", None)


@pytest.mark.parametrize(
    ("state", "said"), [("in progress", "will appear shortly"), ("finished", "has no stored map")]
)
def test_without_an_overview_the_page_says_so(run, state, said):
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", state)
    html, page = pushed(details)
    assert said in html
    assert page is None


CANDIDATES = [{"name": "Ward", "conductance": 0.125}, {"name": "<k-means>", "conductance": 0.25}]
FINDING = {"name": "one", "severity": "warning", "message": "<Too> much.", "advice": "Do less."}


def words(details: Details) -> str:
    return " ".join(pushed(details)[0].split())


def test_the_start_and_the_findings_appear_once_they_are_written(run):
    run.keep(overview())
    folder, details = RunFolder(run.path), Details()
    latest = Latest(run.path)
    latest.look()

    def shown() -> str:
        details.update(latest, "runs/one", "in progress")
        return words(details)

    assert "From random weights." in shown()
    assert "looks at a run once it has ended" in shown()
    assert "gmvae report runs/one" in shown()
    start = {"init": "candidates", "reason": "<it> is best", "rounds": [], "candidates": CANDIDATES}
    folder.write_starts([start | {"restart": 1}, start | {"restart": 2, "reason": "another one"}])
    assert "From the best of several partitions: &lt;it&gt; is best." in shown()
    assert "another one" not in shown()  # that of the restart on the map
    assert "&lt;k-means&gt;</td><td>0.25</td>" in shown()
    folder.append({"epoch": 1})
    restarts = [{"seed": 1, "loss": 2.5}, {"seed": 2, "loss": 1.5}]
    folder.write_summary({"findings": [FINDING], "restarts": restarts})
    assert "<b>Warning.</b> &lt;Too&gt; much." in shown()
    assert "The doctor has 1 warning" in shown()
    assert "<td>2.5</td>" in shown()
    folder.write_summary({"findings": [], "restarts": restarts})
    assert "The doctor finds nothing wrong." in shown()
    later = folder.path.joinpath("summary.json").stat().st_mtime + 5
    os.utime(folder.metrics, (later, later))  # it is trained for longer
    assert "looks at a run once it has ended" in shown()


def test_a_run_that_has_ended_has_the_edits_of_its_clusters(run):
    y, _ = three_blobs()
    model = quick(n_clusters=2, x_size=2).fit(y)
    run.keep(overview(40))
    folder, details = RunFolder(run.path), Details()
    latest = Latest(run.path)
    latest.look()

    def shown(edits) -> list[str]:
        model.relabel(edits).save(folder.model)
        details.update(latest, "runs/one", "finished")
        return re.findall(r"Cluster ([^<]*)</h3>", pushed(details)[0])

    folder.append({"epoch": 1})
    folder.write_summary({"findings": [], "restarts": []})
    assert shown(None) == ["0", "1"]
    assert shown({"names": {"1": "<tall>"}}) == ["0", "1 · &lt;tall&gt;"]
    assert shown({"merge": [[0, 1]]}) == ["0"]
    assert set(details.source.data["cluster"]) == {0}
    split = {"cluster": 1, "direction": [1.0, 0.0], "offset": -6.0, "share": 0.5}
    assert shown({"split": [split]}) == ["0", "1", "2"]
    moved = (overview(40).labels == 1) & (overview(40).x[:, 0] > 6)
    np.testing.assert_array_equal(np.asarray(details.source.data["cluster"]) == 2, moved)
    folder.model.write_bytes(b"damaged")
    details.update(latest, "runs/one", "finished")
    assert "Cluster 1</h3>" in pushed(details)[0]


def test_files_are_read_once_until_they_change(run, monkeypatch):
    run.keep(overview())
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", "in progress")
    monkeypatch.setattr(RunFolder, "read_starts", lambda _: pytest.fail("read again"))
    before = dict(details.pushed.data)
    details.update(latest, "run", "in progress")
    assert details.pushed.data == before


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("{", "summary.json is not a complete JSON file"),
        ("[]", "summary.json does not hold a JSON object"),
        ('{"findings": 3}', "summary.json has no findings"),
        ('{"findings": [{"severity": "warning"}]}', "summary.json has no findings"),
        ('{"findings": [], "restarts": [1, {}]}', "The doctor finds nothing wrong."),
    ],
)
@pytest.mark.parametrize("map_", [True, False])
def test_damaged_files_are_reported_on_the_page(run, summary, said, map_):
    if map_:
        run.keep(overview())
    folder = RunFolder(run.path)
    folder.metrics.write_text("")
    folder.start.write_text('[{"init": "random"}]')
    (folder.path / "summary.json").write_text(summary)
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", "finished")
    assert said in words(details)
    assert "Where it started cannot be read" in words(details)
    assert ('id="cluster-1"' in words(details)) == map_
    shutil.rmtree(folder.path)
    details.update(latest, "run", "finished")
    assert ('id="cluster-1"' in words(details)) == map_


def test_clusters_that_are_near_each_other_are_shown_without_the_form_for_merges(run):
    run.keep(overview())  # 20 rows of either cluster, with probabilities 0.95 and 0.05
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", "finished")
    near = words(details).partition('id="near"')[2].partition("</section>")[0]
    assert f"{2 * 20 * 0.95 * 0.05 / 20:.3f}" in near
    assert 'id="cut"' in near
    assert 'id="take"' not in near
    assert pushed(details)[1]["merges"] == [[0, 1]]


def test_images_without_pixels_have_no_picture(run):
    found = overview(40)
    rng = np.random.default_rng(0)
    images = replace(
        found,
        y_shape=np.array([1, 2, 2]),
        pictured=np.arange(0, 40, 5),
        y=rng.integers(0, 256, (8, 4)).astype(np.uint8),
        samples=rng.uniform(0, 255, (2, 10, 4)),
        styles=rng.uniform(0, 255, (2, 2, 9, 4)),
        density=np.where(np.arange(40) % 5, 1.0, -1.0),
        probabilities=np.where(found.probabilities > 0.5, 1, 0).astype(np.float32),
        x=np.where(np.arange(40) % 5, 9.0, 0.1)[:, None] * np.ones(2),
    )
    run.keep(images)
    latest, details = Latest(run.path), Details()
    latest.look()
    details.update(latest, "run", "finished")
    html, page = pushed(details)
    places = details.source.data["picture"]
    assert set(range(0, 40, 5)) <= set(np.flatnonzero(places >= 0).tolist())
    assert page["sheet"]["width"] == 2
    assert html.count("data:image/webp;base64,") == 1


@pytest.mark.slow
def test_a_click_on_a_run_shows_it_and_two_are_side_by_side(run, tmp_path):
    run.keep(overview())
    shutil.copytree(run.path, tmp_path / "runs" / "one")
    shutil.copytree(run.path, tmp_path / "runs" / "two")
    page = Page(Document(), Runs([tmp_path / "runs"]))
    one, two = (str(tmp_path / "runs" / name) for name in ("one", "two"))
    assert page.choice.options == [one, two]
    assert page.choice.value == one
    assert [chart.title.text for chart in page.beside.children] == [f"map of {one}", f"map of {two}"]
    page.rows.selected.indices = [1]
    page.update()
    assert page.choice.value == two
    assert two in pushed(page.details)[0]
    assert len(page.beside.children) == 1  # an empty place
    assert not hasattr(page.beside.children[0], "title")
    page.choice.value = one
    page.update()
    assert one in pushed(page.details)[0]
    assert page.rows.selected.indices == [0]
    shutil.rmtree(one)
    page.update()
    assert page.choice.value == two
    assert two in pushed(page.details)[0]
    page.close()
    assert not (tmp_path / "runs" / "two" / "watch").exists()
