"""A fit under a caller's own modes, default type and generators gives the same results, bit for bit, and
leaves all of these as they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from small_fits import SMALL

import gmvae
from gmvae import GMVAE, Run, experiment
from gmvae.fit import clusters
from gmvae.start import autoencoder, rounds
from gmvae.store.onnx import export
from gmvae.training.devices import cpu_threads

pytestmark = pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
Setting = Callable[[], Any]


@contextmanager
def switched(put: Callable[[Any], object], on: Any, off: Any) -> Iterator[None]:
    put(on)
    try:
        yield
    finally:
        put(off)


def seeds(number: int) -> None:
    torch.manual_seed(number)
    np.random.seed(number)  # noqa: NPY002
    random.seed(number)


SETTINGS: dict[str, Setting] = {
    "float64": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: switched(torch.set_default_dtype, torch.float16, torch.float32),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "meta": lambda: switched(torch.set_default_device, "meta", None),
    "meta_block": lambda: torch.device("meta"),
    "cpu": lambda: switched(torch.set_default_device, "cpu", None),
    # not torch.use_deterministic_algorithms, which imports torch's compiler
    "deterministic": lambda: switched(torch.set_deterministic_debug_mode, "error", "default"),
    "anomaly": torch.autograd.detect_anomaly,
    "threads": lambda: cpu_threads(torch.get_num_threads() + 1),
    "seeds": lambda: switched(seeds, 1234, 0),
}


@contextmanager
def everything_at_once() -> Iterator[None]:
    with ExitStack() as settings:
        for name in ("float64", "inference_mode", "autocast", "meta", "deterministic", "threads", "seeds"):
            settings.enter_context(SETTINGS[name]())
        yield


def state() -> list[Any]:
    """Everything of torch's, numpy's and Python's that a caller may have set."""
    return [
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_autocast_dtype("cpu"),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_anomaly_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().cpu().numpy().tobytes(),
        str(np.random.get_state()),  # noqa: NPY002
        random.getstate(),
    ]


def in_setting(setting: Setting, work: Callable[[], Any]) -> Any:
    """The result of ``work`` in a setting, which it must leave as it was."""
    with setting():
        before = state()
        found = work()
        assert state() == before
    return found


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def answers(model: GMVAE, rows: np.ndarray) -> dict[str, Any]:
    x = model.transform(rows)
    found = {name: getattr(model, name)(rows) for name in ("predict", "predict_proba", "score_samples")}
    found |= {"transform": x, "inverse_transform": model.inverse_transform(x), "sample": model.sample(9)[0]}
    return found | {f"model.{k}": v.cpu().numpy() for k, v in model.model_.state_dict().items()}


def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)) + 6 * (np.arange(60) % 3 == 0)[:, None]


def life_of_a_model(folder, **options: Any) -> Callable[[], dict[str, Any]]:
    """Fit, answer, save, load and answer again."""

    def work() -> dict[str, Any]:
        model = GMVAE(2, **{**SMALL, "hidden_size": 8, "epochs": 2, **options}).fit(table())
        model.save(folder / "model.safetensors")
        again = gmvae.load(folder / "model.safetensors", "cpu")
        found = answers(model, table())
        assert_same(answers(again, table()), found)
        return found | {"labels": model.labels_, "elbo": model.elbo_, "diagnostics": str(model.diagnostics_)}

    return work


@pytest.fixture(scope="module")
def as_always(tmp_path_factory) -> dict[str, Any]:
    return life_of_a_model(tmp_path_factory.mktemp("models"))()


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_model_is_the_same_in_any_setting(as_always, tmp_path, name):
    assert_same(in_setting(SETTINGS[name], life_of_a_model(tmp_path)), as_always)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"assignment": "posterior", "likelihood": "gaussian", "optimiser": "rmsprop", "n_init": 2},
        {"early_stopping": True, "optimiser": "adadelta", "augment": "table", "view_weight": 1.0},
    ],
)
def test_options_do_not_change_this(tmp_path, options):
    work = life_of_a_model(tmp_path, **options)
    assert_same(in_setting(everything_at_once, work), work())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param({"optimiser": "sgd", "learning_rate": 1e12}, FloatingPointError, marks=pytest.mark.slow),
        ({"batch_size": 1}, ValueError),
    ],
)
def test_an_error_leaves_the_setting_too(options, error):
    def work() -> None:
        with pytest.raises(error):
            GMVAE(2, **{**SMALL, "epochs": 2, **options}).fit(table())

    in_setting(everything_at_once, work)


def run_spiral(folder) -> Callable[[], dict[str, Any]]:
    """A run by the configuration of the command line, interrupted and resumed."""
    spiral_config = experiment("spiral")
    config = replace(
        spiral_config,
        model=replace(spiral_config.model, hidden_size=8),
        data=replace(spiral_config.data, points=200),
        training=replace(spiral_config.training, epochs=2, device="cpu", init="kmeans"),
        run=replace(spiral_config.run, plots=(), run_dir=str(folder), checkpoint_every=0),
    )

    def work() -> dict[str, Any]:
        steps = Run.new("spiral", config).train()
        before = state()
        next(steps)
        assert state() == before  # while it waits, too
        steps.close()
        run = Run.resume(folder)
        records = [record["elbo"] for record in run.train()]
        run.take_snapshot()
        model = gmvae.load(folder, "cpu")
        return answers(model, run.data.y[:20]) | {"elbo": records}

    return work


@pytest.mark.slow
@pytest.mark.parametrize("setting", [everything_at_once, torch.no_grad], ids=["all", "no_grad"])
def test_a_run_is_the_same_in_any_setting(tmp_path, setting):
    ours = in_setting(setting, run_spiral(tmp_path / "ours"))
    assert_same(ours, run_spiral(tmp_path / "theirs")())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float64", "inference_mode", "meta", "all"])
def test_a_model_is_exported_the_same_in_any_setting(tmp_path, name):
    model = GMVAE(2, **{**SMALL, "hidden_size": 8, "epochs": 1}).fit(table())

    def work() -> dict[str, Any]:
        return {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in export(model, tmp_path)}

    expected = work()
    assert_same(in_setting(SETTINGS.get(name, everything_at_once), work), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"init": "manifold"},
        {"n_clusters": "auto", "max_clusters": 3, "init": "kmeans"},
        {"init": "manifold", "augment": "image", "image_shape": (8, 8), "filters": 2, "rounds": 2},
        {"init": "manifold", "image_shape": (8, 8), "network": "conv", "filters": 2, "rounds": 1},
    ],
    ids=["manifold", "choice", "views", "code"],
)
def test_starts_are_the_same_in_any_setting(monkeypatch, options):
    for module, name in ((rounds, "RECONSTRUCTING"), (rounds, "TEACHING"), (autoencoder, "STEPS")):
        monkeypatch.setattr(module, name, 10)
    for module, name in ((clusters, "RECONSTRUCTING"), (clusters, "MANIFOLDS"), (clusters, "MANIFOLDS_EACH")):
        monkeypatch.setattr(module, name, 2)
    digits = load_digits().data[:1050]
    rows = (
        np.kron(digits.reshape(-1, 8, 8), np.ones((2, 2))).reshape(-1, 256)
        if "network" in options
        else digits
    )
    options = options | ({"image_shape": (16, 16)} if "network" in options else {})

    def work() -> dict[str, Any]:
        model = GMVAE(**{"n_clusters": 4, **SMALL, "epochs": 1, **options}).fit(rows)
        return answers(model, rows[:50]) | {"labels": model.labels_, "start": str(model.start_)}

    assert_same(in_setting(everything_at_once, work), work())


@pytest.mark.slow
def test_fits_in_two_threads_do_not_disturb_each_other(as_always, tmp_path):
    """Each draws from its own generators, and the settings of one do not affect the other."""
    folders = [tmp_path / str(i) for i in range(2)]
    found: dict[Any, dict[str, Any]] = {}

    def work(folder) -> None:
        folder.mkdir()
        found[folder] = life_of_a_model(folder)()

    threads = [Thread(target=work, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        torch.rand(100)
        for thread in threads:
            thread.join(0.01)
    for folder in folders:
        assert_same(found[folder], as_always)
