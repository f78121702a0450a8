"""Rows far from all others: the further away, the lower their score, and nothing is ever NaN."""

import csv

import numpy as np
import pytest
import torch
from commands import here
from sklearn.datasets import load_breast_cancer, load_iris
from small_fits import quick, three_blobs

import gmvae
from gmvae import GMVAE
from gmvae.model import answers
from gmvae.model.far import drawn_in
from gmvae.model.vae import SAVED_RANGE

TIMES = np.concatenate((np.arange(1.0, 11), np.geomspace(12, 9e5, 40), np.geomspace(1e6, 1e12, 13)))


@pytest.fixture(scope="module", params=["recogniser", pytest.param("posterior", marks=pytest.mark.slow)])
def fitted(request):
    return quick(assignment=request.param, epochs=40, init="kmeans").fit(load_iris().data)


def rays(y, seed=0, count=20):
    """Rows along random directions, at TIMES standard deviations from the mean: (count, times, D)."""
    steps = np.random.default_rng(seed).normal(size=(count, 1, y.shape[1]))
    return y.mean(0) + TIMES[:, None] * (steps / np.linalg.norm(steps, axis=-1, keepdims=True)) * y.std(0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_of_skewed_columns_fall_along_rays(seed):
    """Where some columns end at one standard deviation and others at ten."""
    y = load_breast_cancer().data[:, [10, 12, 13, 15, 16, 17]]
    model = GMVAE(2, random_state=seed, threads=1, epochs=30, init="kmeans").fit(y)
    for ray in rays(y):
        scores = model.score_samples(ray)
        assert np.isfinite(scores).all()
        assert (np.diff(scores[TIMES >= 10]) < 0).all()


def test_an_observation_is_drawn_in_as_far_as_needed(fitted):
    """A far row is moved towards the centre, near its ray, to the same place alone or in a batch; other rows
    do not move."""
    model = answers.precise(fitted.model_)
    y = next(fitted._rows(load_iris().data).batches(150))
    assert torch.equal(drawn_in(model.recognition, y), y)
    far = y * torch.logspace(0, 9, 150, dtype=y.dtype).unsqueeze(1)
    drawn = drawn_in(model.recognition, far)
    low, high = model.recognition.range.unbind(-1)
    assert ((drawn >= low) & (drawn <= high)).all()
    cosine = torch.nn.functional.cosine_similarity(drawn[40:], far[40:])
    assert (cosine > 0.99).all()
    assert (drawn.norm(dim=1) > 0.5 * low.abs().min().minimum(high.min()))[40:].all()
    torch.testing.assert_close(drawn_in(model.recognition, far[99:100]), drawn[99:100], rtol=0, atol=0)
    again = drawn_in(model.recognition, 1e3 * far[40:])
    torch.testing.assert_close(again, drawn[40:], rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_scores_fall_along_rays(fitted):
    for ray in rays(load_iris().data):
        scores = fitted.score_samples(ray)
        assert np.isfinite(scores).all()
        assert (np.diff(scores[TIMES >= 10]) < 0).all()


def test_answers_for_far_rows_are_numbers(fitted):
    far = np.array([[1e300, -1e300, 1, 1], [1.7e308] * 4, [-1.7e308, 1, 1, 1], [-999999, 3, 1, 1]])
    for answer in (fitted.predict_proba(far), fitted.transform(far)):
        assert np.isfinite(answer).all()
    np.testing.assert_allclose(fitted.predict_proba(far).sum(1), 1)
    assert not np.isnan(fitted.score_samples(far)).any()


def test_a_sentinel_is_the_worst_outlier_and_other_columns_still_count(fitted):
    y = load_iris().data.copy()
    y[7, 1] = -999999
    scores = fitted.score_samples(y)
    assert scores.argmin() == 7
    assert np.isfinite(fitted.score(y))
    others = np.delete(np.arange(150), 7)
    np.testing.assert_allclose(scores[others], fitted.score_samples(y[others]), rtol=1e-9)


def test_rows_of_the_data_are_not_clipped(fitted):
    """The clipping of far rows does not change the others."""
    y = load_iris().data
    model = answers.precise(fitted.model_)
    rows = fitted._rows(y)
    (batch,) = rows.batches(150)
    assert torch.equal(model.recognition.inside(batch), batch)
    with torch.inference_mode():
        model.eval()
        hidden = model.recognition.body(batch)
        for head, found in zip(
            (model.recognition.x, model.recognition.w), model.recognition(batch)[:2], strict=True
        ):
            assert torch.equal(found.log_variance, head(hidden).chunk(2, -1)[1])


@pytest.mark.slow
def test_models_saved_without_a_range_answer_as_before(fitted, tmp_path, monkeypatch):
    y = load_iris().data
    state = type(fitted.model_).state_dict
    with monkeypatch.context() as patch:
        kept = {k: v for k, v in state(fitted.model_).items() if not k.endswith("range")}
        patch.setattr(fitted.model_, "state_dict", lambda: kept)
        fitted.save(tmp_path / "m.safetensors")
    again = gmvae.load(tmp_path / "m.safetensors", "cpu")
    assert again.model_.recognition.range.tolist() == [list(SAVED_RANGE)] * 4
    for name in ("score_samples", "predict_proba", "transform"):
        np.testing.assert_allclose(getattr(again, name)(y), getattr(fitted, name)(y), atol=1e-9)
    for ray in rays(y):
        assert np.isfinite(again.score_samples(ray)).all()
        assert np.isfinite(again.predict_proba(ray)).all()
    fitted.save(tmp_path / "n.safetensors")
    new = gmvae.load(tmp_path / "n.safetensors", "cpu")
    far = rays(y)[0]
    np.testing.assert_array_equal(new.score_samples(far), fitted.score_samples(far))


def test_a_warm_start_widens_the_range():
    y = three_blobs()[0].astype(np.float64)
    model = quick(warm_start=True).fit(y)
    before = model.model_.recognition.range.clone()
    wider = y.copy()
    wider[0] += 20 * y.std(0)
    after = model.fit(wider).model_.recognition.range
    assert (after[:, 0] <= before[:, 0]).all()
    assert (after[:, 1] > before[:, 1] + 10).all()


def test_predict_writes_numbers_for_far_rows(tmp_path):
    y = load_iris().data
    np.savetxt(tmp_path / "t.csv", y, delimiter=",", header="a,b,c,d", comments="", fmt="%g")
    sizes = ["--clusters", 3, "--hidden-size", 16, "--x-size", 2, "--w-size", 2, "--epochs", 5]
    said = here(
        "train", "data", "--path", tmp_path / "t.csv", *sizes, "--init", "random", "--plot-every", 0,
        "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert gmvae.load(tmp_path / "run").model_.recognition.range.abs().max() < 10
    y[3, 2], y[5] = -999999, 1e300
    np.savetxt(tmp_path / "new.csv", y, delimiter=",", header="a,b,c,d", comments="", fmt="%g")
    said = here("predict", tmp_path / "run", tmp_path / "new.csv", "-o", tmp_path / "out.csv")
    assert said.status == 0, said.err
    with open(tmp_path / "out.csv") as file:
        rows = list(csv.DictReader(file))
    assert not any(value == "nan" for row in rows for value in row.values())
    assert np.argsort([float(row["log_density"]) for row in rows])[:2].tolist() == [5, 3]
