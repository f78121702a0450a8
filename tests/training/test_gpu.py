"""Fits on a GPU; without a GPU these tests are skipped."""

import numpy as np
import pytest
import torch
from small_fits import taught, three_blobs

import gmvae
from gmvae.config import ModelConfig, ObjectiveConfig, TrainingConfig
from gmvae.data import observations, shuffled
from gmvae.data.scales.scaling import dividing
from gmvae.data.streamed import Streamed
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.loop import Trainer
from gmvae.training.random import RandomStream

GPU = torch.accelerator.current_accelerator(check_available=True)
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(GPU is None, reason="this machine has no GPU that torch knows"),
]


def test_a_fit_on_a_gpu_finds_the_clusters_and_answers_on_the_cpu(tmp_path):
    y, labels = three_blobs()
    for seed in range(3):
        model = taught(epochs=20, random_state=seed, device=GPU.type).fit(y)
        assert model.model_.generative.zero.device.type == GPU.type
        assert [len(set(model.labels_[labels == k])) for k in range(3)] == [1, 1, 1]
        model.save(tmp_path / "model.safetensors")
        on_cpu = gmvae.load(tmp_path / "model.safetensors", device="cpu")
        np.testing.assert_allclose(on_cpu.predict_proba(y), model.predict_proba(y), atol=1e-4)


def test_a_stream_is_fitted_on_a_gpu():
    y, labels = three_blobs()
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(y))
    model = taught(epochs=20, device=GPU.type).fit(dataset)
    assert [len(set(model.predict(y)[labels == k])) for k in range(3)] == [1, 1, 1]


def test_a_run_started_on_a_gpu_is_resumed_on_the_cpu(tmp_path):
    y, _ = three_blobs()
    whole = taught(epochs=6, device=GPU.type, run_dir=tmp_path / "run").fit(y)
    again = gmvae.GMVAE.resume(tmp_path / "run", device="cpu")
    assert again.n_iter_ == whole.n_iter_ == 6
    np.testing.assert_array_equal(again.predict(y), whole.predict(y))


@pytest.mark.skipif(GPU is None or GPU.type != "cuda", reason="only CUDA reports that the CPU waits")
@pytest.mark.parametrize("kind", ["resident", "small", "large", "weighted", "stream"])
@pytest.mark.parametrize("training", [{}, {"augment": "table"}], ids=["by hand", "autograd"])
@pytest.mark.parametrize("assignment", ["recogniser", "posterior"])
def test_the_cpu_never_waits_between_the_steps_of_an_epoch(tmp_path, monkeypatch, kind, training, assignment):
    """From the end of the first step to that of the last, torch raises an error if the CPU waits."""
    device, count = torch.device("cuda", torch.cuda.current_device()), 400
    y = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    if kind == "stream":
        monkeypatch.setattr(shuffled, "WINDOW", 1 << 11)  # four windows
        rows = Streamed(shuffled.shuffle(iter([(y,)]), tmp_path, y.nbytes, seed=0)[0], (4,), device)
    else:
        monkeypatch.setattr(observations, "SMALL", 0 if kind == "large" else 1 << 22)
        weights = np.linspace(1, 2, count) if kind == "weighted" else None
        rows = observations.Observations(
            y, dividing(4), (4,), device, weights=weights, resident=kind == "resident"
        )
    stream = RandomStream(0, device)
    config = ModelConfig(clusters=3, x_size=2, w_size=2, hidden_size=8, assignment=assignment)
    trainer = Trainer(
        GaussianMixtureVAE((4,), config).to(device),
        ObjectiveConfig(),
        TrainingConfig(batch_size=40, epochs=2, **training),
        stream,
    )
    next(trainer.epochs(rows))  # what is made once, such as the state of the optimiser
    set_mode = torch.cuda.set_sync_debug_mode
    try:
        next(trainer.epochs(rows, lambda done: set_mode("default" if done == 2 else "error")))
    finally:
        set_mode("default")
    assert trainer.epoch == 2


@pytest.mark.skipif(GPU is None or GPU.type != "cuda", reason="bfloat16 is for GPUs of CUDA")
def test_images_are_fitted_in_bfloat16_on_a_gpu():
    """auto chooses it, unless the GPU does not compute in it."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    y = rng.integers(0, 60, (300, 8, 8))
    y[np.arange(300), :, 1 + 2 * labels] += 180
    options = {"image_shape": (8, 8), "init": "kmeans", "epochs": 10, "filters": 4, "device": "cuda"}
    able = torch.cuda.is_bf16_supported(including_emulation=False)
    for precision in ("auto", "float32"):
        model = taught(**options | {"precision": precision}).fit(y.astype(np.uint8).reshape(300, -1))
        assert model.model_.recognition.body.inner == (
            torch.bfloat16 if able and precision == "auto" else None
        )
        assert [len(set(model.labels_[labels == k])) for k in range(3)] == [1, 1, 1]
