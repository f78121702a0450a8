"""A fit in Python with a run folder: it is the same fit, can be resumed, and works with all commands."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from commands import here, records
from scipy import sparse
from sklearn.base import clone
from small_fits import SMALL, quick, three_blobs

import gmvae
from gmvae import GMVAE

Y = three_blobs()[0]
WEIGHTS = np.random.default_rng(0).integers(0, 4, len(Y)).astype(float)
OPTIONS = {"n_init": 3, "init": "kmeans", "epochs": 8, "threads": 1, "device": "cpu"}


def same(one: GMVAE, other: GMVAE) -> bool:
    """Whether two fits have the same labels and the same network weights."""
    ours, theirs = one.model_.state_dict(), other.model_.state_dict()
    return bool((one.labels_ == other.labels_).all()) and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.fixture(scope="module")
def alone():
    return quick(**OPTIONS).fit(Y, sample_weight=WEIGHTS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with its rows, and the fit that wrote it."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, quick(**OPTIONS, run_dir=folder).fit(Y, sample_weight=WEIGHTS)


@pytest.mark.slow
def test_a_run_that_is_loaded_has_the_records_of_the_restart_that_was_kept(tmp_path):
    y = np.random.default_rng(0).normal(size=(60, 2)) + 6 * (np.arange(60) % 2)[:, None]
    options = {**SMALL, "n_clusters": 2, "n_init": 3, "epochs": 3}
    model = GMVAE(**options, run_dir=tmp_path / "run").fit(y)
    again = gmvae.load(tmp_path / "run")
    assert [record["epoch"] for record in again.history_] == [1, 2, 3]
    assert [r["loss"] for r in again.history_] == [r["loss"] for r in model.history_]


@pytest.mark.slow
def test_a_run_folder_does_not_change_the_fit(run, alone):
    folder, model = run
    assert same(model, alone)
    assert (model.restarts_, model.elbo_) == (alone.restarts_, alone.elbo_)
    assert len(records(folder)) == 3 * 8
    assert clone(model).run_dir == folder


@pytest.mark.slow
def test_a_finished_fit_is_loaded_by_resume(run, alone):
    again = GMVAE.resume(run[0])
    assert same(again, alone)
    kept = {key: value for key, value in again.get_params().items() if key != "run_dir"}
    assert kept == {key: value for key, value in alone.get_params().items() if key != "run_dir"}
    assert [record["epoch"] for record in again.history_] == list(range(1, 9))
    assert (again.start_, again.n_iter_, again.n_features_in_) == (alone.start_, 8, 3)


@pytest.mark.slow
def test_commands_work_with_a_moved_folder(run, alone, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(run[0], moved)
    assert "has finished its 8 epochs" in here("resume", moved).out
    assert here("predict", moved, "-o", tmp_path / "p.csv").status == 0
    assert pd.read_csv(tmp_path / "p.csv")["cluster"].tolist() == alone.labels_.tolist()
    assert here("plot", "bound", moved).status == 0
    assert here("info", moved).status == 0
    assert (
        f"{moved / 'rows.npy'} is the model or its data"
        in here("predict", moved, "-o", moved / "rows.npy").err
    )
    assert gmvae.load(moved).get_params()["n_init"] == 3


@pytest.mark.slow
def test_resuming_a_folder_without_rows_needs_them(alone, tmp_path):
    folder = tmp_path / "run"
    quick(**OPTIONS, run_dir=folder, keep_data=False).fit(Y, sample_weight=WEIGHTS)
    assert not list(folder.glob("rows.*"))
    assert not (folder / "weights.npy").exists()
    said = here("resume", folder)
    assert said.status == 2
    assert said.err == f"gmvae: {folder} has not kept its data: run GMVAE.resume('{folder}', X) in Python\n"
    assert same(GMVAE.resume(folder, Y, WEIGHTS), alone)
    for rows, weights in ((Y + 1, WEIGHTS), (Y[1:], WEIGHTS[1:]), (Y, None)):
        with pytest.raises(ValueError, match=r"X has changed since the run in .* started"):
            GMVAE.resume(folder, rows, weights)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pd.DataFrame, sparse.csr_array, lambda y: y.astype(np.float64)])
def test_every_kind_of_table_is_kept(tmp_path, kind):
    y = pd.DataFrame(Y, columns=["a", "b", "c"]) if kind is pd.DataFrame else kind(Y)
    model = quick(run_dir=tmp_path / "run").fit(y)
    again = GMVAE.resume(tmp_path / "run")
    assert same(again, model)
    np.testing.assert_array_equal(again.predict_proba(y), model.predict_proba(y))
    if kind is pd.DataFrame:
        assert again.feature_names_in_.tolist() == ["a", "b", "c"]


@pytest.mark.slow
def test_images_are_kept(tmp_path):
    y = np.random.default_rng(0).integers(0, 256, (60, 36)).astype(np.uint8)
    options = {"image_shape": (6, 6), "network": "fc", "init": "random"}
    model = quick(run_dir=tmp_path / "run", **options).fit(y)
    assert same(GMVAE.resume(tmp_path / "run"), model)
    assert same(quick(**options).fit(y), model)


@pytest.mark.slow
def test_bad_run_folders_give_one_line(run, tmp_path):
    model = quick(epochs=1).fit(Y)
    before = model.labels_
    with pytest.raises(ValueError, match="already holds a run: name another folder"):
        model.set_params(run_dir=run[0]).fit(Y)
    assert model.labels_ is before
    with pytest.raises(ValueError, match="a run starts from scratch"):
        model.set_params(run_dir=tmp_path / "new", warm_start=True).fit(Y)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="holds no run"):
        GMVAE.resume(tmp_path)


@pytest.mark.slow
def test_a_run_of_the_command_line_is_resumed_in_python(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    flags = ["--clusters", "3", "--epochs", "2", "--hidden-size", "8", "--run-dir", tmp_path / "run"]
    assert here("train", "data", "--path", tmp_path / "y.npy", *flags).status == 0
    model = GMVAE.resume(tmp_path / "run")
    np.testing.assert_array_equal(model.labels_, gmvae.load(tmp_path / "run").predict(Y))
    with pytest.raises(ValueError, match="reads its data itself: leave X out"):
        GMVAE.resume(tmp_path / "run", Y)


KILLED = """
import os, signal, sys
import numpy as np
import gmvae.fit.engine, gmvae.start.begin
from gmvae import GMVAE
from gmvae.store.writer import Writer

folder, where = sys.argv[1:]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if where == "start":
    gmvae.start.begin.teach = die
elif where == "an epoch":
    known = Writer.epoch
    Writer.epoch = lambda self, record, moment: (
        die() if record["epoch"] == 5 else known(self, record, moment)
    )
elif where == "the records of the second restart":
    Writer.arrived = die
else:
    gmvae.fit.engine.conclude = die
given = np.load(folder + "/given.npz")
options = eval(str(given["options"]))
GMVAE(**options, run_dir=folder + "/run").fit(given["y"], sample_weight=given["weights"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["start", "an epoch", "the records of the second restart", "after the last epoch"]
)
def test_a_killed_fit_ends_as_if_never_killed(alone, tmp_path, where):
    """Killed by SIGKILL during three restarts, and resumed from the command line."""
    options = str({k: v for k, v in alone.get_params().items() if k != "run_dir"})
    np.savez(tmp_path / "given.npz", y=Y, weights=WEIGHTS, options=options)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), where])
    assert killed.returncode == -signal.SIGKILL
    folder = tmp_path / "run"
    assert not (folder / "summary.json").exists()
    assert (folder / "checkpoint").exists() == (where != "start")
    assert here("resume", folder).status == 0
    assert same(GMVAE.resume(folder), alone)
    np.testing.assert_array_equal(gmvae.load(folder).predict(Y), alone.labels_)
    numbers = [(record["restart"], record["epoch"]) for record in records(folder)]
    assert numbers == [(restart, epoch) for restart in (1, 2, 3) for epoch in range(1, 9)]
