"""Names, merges and splits are stored in the model, apply everywhere, and can be undone."""

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


def four_groups_in_three_clusters():
    """Two of four groups are near each other, so three clusters put them into one."""
    rng = np.random.default_rng(0)
    group = rng.integers(4, size=800)
    y = np.array([[0, 0], [8, 0], [0, 8], [2.2, 8]])[group] + 0.35 * rng.normal(size=(800, 2))
    return y, group


def test_a_split_separates_two_groups_of_a_cluster(tmp_path):
    y, group = four_groups_in_three_clusters()
    model = GMVAE(n_clusters=3, random_state=0, threads=1).fit(y)
    before, labels = model.predict_proba(y), model.labels_.copy()
    (both,) = set(before.argmax(1)[group == 2]) & set(before.argmax(1)[group == 3])
    edits = {"names": {"3": "new"}, "split": [model.propose_split(y, int(both))]}
    found = model.relabel(edits).predict(y)
    groups = [found[group == one] for one in range(4)]
    pure = [np.bincount(part).max() / len(part) for part in groups]
    assert min(pure) > 0.99
    assert len({np.bincount(part).argmax() for part in groups}) == 4
    q = model.predict_proba(y)
    np.testing.assert_allclose(q[:, both] + q[:, 3], before[:, both], atol=1e-12)
    np.testing.assert_array_equal(np.delete(q, [both, 3], 1), np.delete(before, both, 1))
    np.testing.assert_array_equal(model.labels_, labels)

    drawn, of = model.sample(400, cluster=3)
    assert set(of) == {3}
    mine = y[found == 3].mean(0)
    assert (np.abs(drawn.mean(0) - mine) < np.abs(drawn.mean(0) - y[found == both].mean(0)))[0]
    assert (model.predict(drawn) == 3).mean() > 0.95
    assert set(model.describe(y)["name"].to_pylist()) == {"", "new"}
    content = model.snapshot(y, labels=group)
    assert (content.count, content.used, content.edited) == (4, [0, 1, 2, 3], True)
    assert content.portrait.samples.shape[0] == content.portrait.styles.shape[1] == 4

    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict_proba(y), q)
    assert "3 is a part of" in here("info", tmp_path / "m.safetensors").out
    np.savetxt(tmp_path / "y.csv", y, delimiter=",", header="a,b", comments="")
    assert (
        here("predict", tmp_path / "m.safetensors", tmp_path / "y.csv", "-o", tmp_path / "p.csv").status == 0
    )
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [int(row["cluster"]) for row in rows] == found.tolist()
    assert float(rows[0]["p3"]) == pytest.approx(q[0, 3], abs=1e-6)

    with pytest.raises(ValueError, match="undo the split"):
        model.partial_fit(y)
    model.relabel({"merge": [[int(both), 3]], "split": edits["split"]})
    np.testing.assert_allclose(model.predict_proba(y)[:, both], before[:, both], atol=1e-12)
    with pytest.raises(ValueError, match="take the merge back"):
        model.propose_split(y, int(both))
    np.testing.assert_array_equal(model.relabel(None).predict_proba(y), before)


def test_an_update_keeps_names_and_merges(fitted):
    model, y = fitted
    model.relabel(EDITS).partial_fit(y)
    assert model.relabelled_.names[0] == "the many"
    assert model.relabelled_.merge == ((1, 2),)


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
    assert "before clusters were merged or split" in " ".join(here("info", run).out.split())
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
