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
