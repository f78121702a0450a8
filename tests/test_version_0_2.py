"""Files of version 0.2.0 (``version_0_2/write_files.py``) can be read, and give the same results as then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import here, records
from version_0_2.write_files import RUN, table

import gmvae
from gmvae import GMVAE
from gmvae.assess.diagnostics import Diagnostics
from gmvae.cli import app
from gmvae.config import Config

FILES = Path(__file__).parent / "version_0_2"


def test_a_model_answers_as_it_did():
    model = gmvae.load(FILES / "skewed.safetensors", device="cpu")
    with np.load(FILES / "answers.npz") as found:
        answers = dict(found)
    X = table(answers["numbers"], answers["words"])
    np.testing.assert_array_equal(model.predict(X), answers["labels"])
    np.testing.assert_allclose(model.predict_proba(X), answers["proba"], atol=1e-6)
    np.testing.assert_allclose(model.transform(X), answers["x"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.score_samples(X), answers["score"], rtol=1e-6, atol=1e-4)
    assert model.relabelled_.names[0] == "few"
    assert model.diagnostics_.smallest_variance > 0
    with pytest.warns(FutureWarning, match="signs_ is now called diagnostics_"):
        assert model.signs_ == model.diagnostics_
    assert set(answers["labels"]) == {0, 1, 3}  # 2 is merged into 1


@pytest.mark.slow
def test_a_half_done_run_is_resumed(tmp_path):
    run = shutil.copytree(FILES / "half_done", tmp_path / "run")
    first = records(run)[0]  # the checkpoint was written after it
    assert here("resume", run).status == 0
    assert records(run)[0] == first
    whole = tmp_path / "whole"
    assert here(*RUN[:-1], whole).status == 0
    # the bits may differ: the first half of the run was on another machine
    for ours, theirs in zip(records(run), records(whole), strict=True):
        assert ours["elbo"] == pytest.approx(theirs["elbo"], abs=1e-3)
    assert json.loads((run / "summary.json").read_text())["epochs"] == 4


def test_settings_have_their_names_of_today():
    about = json.loads((FILES / "half_done" / "config.json").read_text())
    about["config"]["model"]["most_clusters"] = 7
    about["config"]["run"]["measure_most"] = 8
    config = Config.from_json(about["config"])
    assert (config.model.max_clusters, config.run.measure_limit) == (7, 8)


def test_flags_have_their_names_of_today(capsys):
    given = ["--most-clusters", "5", "--measure_most=9", "--clusters", "auto"]
    assert list(app.resolved(given)) == ["--max-clusters", "5", "--measure-limit=9", "--clusters", "0"]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "gmvae: --most-clusters is now called --max-clusters"
    assert len(said) == 2


def test_pickles_are_read():
    """Their estimators have ``signs_``, with a field ``least_variance``."""
    found = Diagnostics.__new__(Diagnostics)
    found.__setstate__({"least_variance": 0.5})
    assert found.smallest_variance == 0.5
    model = GMVAE.__new__(GMVAE)
    model.__setstate__({"signs_": found})
    assert model.diagnostics_ is found
