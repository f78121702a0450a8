"""Pictures of a finished run show the model that was kept, with its numbers of clusters."""

from __future__ import annotations

import numpy as np
import pytest
from commands import here
from small_fits import three_blobs

import gmvae
from gmvae.show import run_figures
from gmvae.store.run_folder import RunFolder

TRAIN = ["train", "data", "--clusters", 3, "--hidden-size", 8, "--x-size", 2, "--w-size", 2, "--epochs", 2]
TRAIN += ["--plots", "latent", "--init", "random", "--restarts", 3, "--seed", 2, "--device", "cpu"]


@pytest.mark.slow
def test_pictures_of_a_finished_run_have_its_numbers(tmp_path, monkeypatch):
    drawn, draw = [], run_figures.draw_plot

    def watched(folder, name, suffix=""):
        drawn.append((name, folder.snapshot.stat().st_mtime_ns))
        draw(folder, name, suffix)

    monkeypatch.setattr(run_figures, "draw_plot", watched)
    y = three_blobs()[0][::4]
    np.save(tmp_path / "y.npy", y)
    run = tmp_path / "run"
    assert here(*TRAIN, "--path", tmp_path / "y.npy", "--run-dir", run).status == 0
    folder, model = RunFolder(run), gmvae.load(run)
    shown = dict(np.load(folder.snapshot))
    np.testing.assert_array_equal(shown["clusters"], model.predict(y))
    np.testing.assert_allclose(shown["x"], model.transform(y), atol=1e-5)
    sizes = np.bincount(shown["clusters"], minlength=3).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert drawn[-1] == ("latent", folder.snapshot.stat().st_mtime_ns)
