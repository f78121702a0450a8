"""Names and merges are stored in the model, apply everywhere, and can be undone."""

import csv
import json
import re

import numpy as np
import pytest
from commands import bad, here
from small_fits import SMALL, three_blobs

from gmvae import GMVAE, load

pytestmark = pytest.mark.slow

EDITS = {"names": {"0": "the many", "1": "rare"}, "merge": [[1, 2]]}


@pytest.fixture
def fitted():
    y, _ = three_blobs()
    return GMVAE(n_clusters=3, **SMALL, epochs=40).fit(y), y


def test_merges_apply_until_they_are_undone(fitted):
    model, y = fitted
    before = model.predict_proba(y)
    weights, labels = model.weights_.copy(), model.labels_.copy()
    assert model.relabel(EDITS) is model
    q = model.predict_proba(y)
    np.testing.assert_allclose(q, np.stack([before[:, 0], before[:, 1] + before[:, 2], 0 * before[:, 0]], 1))
    assert set(model.predict(y)) == {0, 1}
    np.testing.assert_array_equal(model.weights_, weights)
    np.testing.assert_array_equal(model.labels_, labels)
    rows, clusters = model.sample(200, cluster=2)
    assert set(clusters) == {1}
    assert rows[:, 2].std() > 0.05  # of both clusters: each alone is narrow in this column
    np.testing.assert_array_equal(model.relabel(None).predict_proba(y), before)


@pytest.mark.slow
def test_a_new_fit_drops_edits(fitted):
    model, y = fitted
    model.relabel(EDITS).fit(y)
    assert not model.relabelled_


@pytest.mark.slow
def test_model_files_keep_edits(fitted, tmp_path):
    model, y = fitted
    model.relabel(EDITS).save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.relabelled_ == model.relabelled_
    np.testing.assert_array_equal(again.predict(y), model.predict(y))


@pytest.mark.slow
def test_bad_edits_change_nothing(fitted):
    model, _ = fitted
    model.relabel(EDITS)
    with pytest.raises(ValueError, match="cluster 7"):
        model.relabel({"merge": [[0, 7]]})
    assert model.relabelled_.merge == ((1, 2),)


@pytest.mark.slow
def test_the_next_report_shows_edits(fitted):
    model, y = fitted
    content = model.relabel(EDITS).snapshot(y)
    assert content.used == [0, 1]
    assert content.called(1) == "1 · rare"
    assert list(content.merged) == [0, 1, 1]


@pytest.mark.slow
def test_commands(fitted, tmp_path):
    y, labels = three_blobs()
    lines = ["a,b,c,kind"] + [
        ",".join(map(repr, map(float, row))) + f",{k}" for row, k in zip(y, labels, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "edits.json").write_text(json.dumps(EDITS))
    run = tmp_path / "run"
    flags = ["--clusters=3", "--epochs=5", "--label-column=kind", "--run-dir", run]
    assert here("train", "data", "--path", tmp_path / "t.csv", *flags).status == 0

    def predicted():
        assert here("predict", run, "-o", tmp_path / "p.csv", "--no-scores").status == 0
        return list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))

    before, card = predicted(), here("info", run).out
    said = here("relabel", run, tmp_path / "edits.json")
    assert (said.status, said.out) == (
        0,
        "1, 2 are merged as number 1\n0 is called the many\n1 is called rare\n",
    )
    after = predicted()
    assert {row["cluster_name"] for row in after} <= {"the many", "rare"}
    for one, other in zip(before, after, strict=True):
        assert float(other["p1"]) == pytest.approx(float(one["p1"]) + float(one["p2"]))
    measured = json.loads(here("evaluate", run).out)
    assert measured["clusters_used"] <= 2
    assert "the many" in here("info", run).out
    assert "before clusters were merged" in " ".join(here("info", run).out.split())
    assert here("report", run, "-o", tmp_path / "r.html").status == 0
    html = (tmp_path / "r.html").read_text()
    assert "Cluster 1 · rare" in html
    shown = dict(re.findall(r"<th[^>]*>(accuracy, one to one|NMI|ARI)</th>\s*<td[^>]*>([0-9.]+)</td>", html))
    keys = {"accuracy, one to one": "acc", "NMI": "nmi", "ARI": "ari"}
    assert {keys[name]: float(value) for name, value in shown.items()} == {
        key: pytest.approx(measured[key], abs=6e-4) for key in keys.values()
    }
    assert "--undo" in bad(here("resume", run, "--epochs", 6))
    assert here("relabel", run, "--undo").status == 0
    assert predicted() == before
    assert here("info", run).out.splitlines()[-3:] == card.splitlines()[-3:]
    assert "or give --undo" in bad(here("relabel", run))
    (tmp_path / "edits.json").write_text('{"merge": [[0, 5]]}')
    kept = (run / "model.safetensors").read_bytes()
    assert "cluster 5" in bad(here("relabel", run, tmp_path / "edits.json"))
    assert (run / "model.safetensors").read_bytes() == kept


@pytest.mark.slow
def test_a_run_of_the_paper(tmp_path):
    run = tmp_path / "run"
    assert here("train", "spiral", "--epochs=1", "--points=300", "--run-dir", run).status == 0
    before = json.loads(here("evaluate", run).out)
    (tmp_path / "e.json").write_text(json.dumps({"merge": [list(range(8))]}))
    assert here("relabel", run, tmp_path / "e.json").status == 0
    after = json.loads(here("evaluate", run).out)
    assert after["clusters_used"] == 1
    assert after["nmi"] == pytest.approx(0)
    assert after["elbo"] == before["elbo"]
