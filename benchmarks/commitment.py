"""Show why the optimiser determines how many clusters survive: the first epoch of mnist_fc, step by step.

    python benchmarks/commitment.py [--seeds 3] [--data-dir FOLDER]

Each run trains for one epoch of 1,200 steps. At certain steps, on the same 1,000 test images, it records how
certain q(z | y) is, how many clusters are in use, how far the parameters have moved, and the gradient of each
term: its norm into the components' means and log-variances, and into the logits of q(z | y). Each run is a
line of benchmarks/results/commitment.jsonl; the picture is docs/images/commitment.png.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from records import complete

from gmvae import experiment
from gmvae.config import ObjectiveConfig
from gmvae.data.dataset import scaled
from gmvae.data.sets.images import mnist
from gmvae.model import objective
from gmvae.model.inference import evaluating, measure
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.model.weights import fresh
from gmvae.store.files import versions
from gmvae.training.devices import cpu_threads
from gmvae.training.optimisers import optimiser
from gmvae.training.passes import batches
from gmvae.training.random import RandomStream

RESULTS = Path(__file__).parent / "results" / "commitment.jsonl"
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "commitment.png"
RATE, BATCH, SHOWN = 1e-4, 50, 1000
SETTINGS = {
    "adam, alpha 0.4": ("adam", 0.4),
    "sign, alpha 0.4": ("sign", 0.4),
    "adam, alpha 0": ("adam", 0.0),
    "sign, alpha 0": ("sign", 0.0),
}
STEPS = [1, 5, 10, 20, 40, 70, 100, 150, 200, 300, 400, 500, 600, 800, 1000, 1200]
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir")
    given = parser.parse_args()
    data = mnist(given.data_dir)
    assert data.test is not None
    assert data.test.labels is not None
    y, shown = torch.from_numpy(data.y), scaled(torch.from_numpy(data.test.y[:SHOWN]))
    labels = data.test.labels[:SHOWN]

    def make(settings: str, seed: int) -> dict[str, Any]:
        name, alpha = SETTINGS[settings]
        stream = RandomStream(seed, CPU)
        config = replace(experiment("mnist_fc").objective, cv_weight=alpha, warm_up=0, cv_warm_up=0)
        size = replace(experiment("mnist_fc").model, clusters=14)
        with cpu_threads(1):
            model = fresh(lambda: GaussianMixtureVAE(data.y_shape, size), stream.cpu)
            start = [p.detach().clone() for p in model.parameters()]
            steps = optimiser(name, model.parameters(), RATE)
            notes = []
            for step, batch in enumerate(batches(len(y), BATCH, generator=stream.cpu), start=1):
                loss, _ = objective.loss(model, scaled(y[batch]), config, generator=stream.cpu)
                steps.zero_grad()
                loss.mean().backward()
                steps.step()
                if step in STEPS:
                    notes.append({"step": step, **note(model, shown, labels, config, start, stream)})
        print(settings, seed, notes[-1], flush=True)
        return {"notes": notes, "versions": versions()}

    wanted = [{"settings": s, "seed": seed} for seed in range(1, given.seeds + 1) for s in SETTINGS]
    results = complete(RESULTS, wanted, make)
    draw(results).savefig(PICTURE, dpi=110)
    table(results)


def note(
    model: GaussianMixtureVAE,
    y: torch.Tensor,
    labels: Any,
    config: ObjectiveConfig,
    start: list[torch.Tensor],
    stream: RandomStream,
) -> dict[str, float]:
    """The state of a model in training, measured on observations that it does not train on."""
    found = dict(measure(model, y, labels))
    with evaluating(model):
        q_z = model.assign(y)
    found["q_z_entropy"] = float(q_z.entropy().mean())
    moved = [(p.detach() - s).square().sum() for p, s in zip(model.parameters(), start, strict=True)]
    count = sum(s.numel() for s in start)
    found["moved"] = math.sqrt(float(sum(moved)) / count) / RATE
    return found | gradients(model, y, config, stream)


def gradients(
    model: GaussianMixtureVAE, y: torch.Tensor, config: ObjectiveConfig, stream: RandomStream
) -> dict[str, float]:
    """Norms of the gradients of the weighted terms into the components' means and log-variances, and into the
    logits of z, averaged over y."""
    held: dict[str, torch.Tensor] = {}

    def hold(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
            held[name] = output

        return hook

    assert model.recognition.z is not None
    hooks = [
        model.generative.prior.register_forward_hook(hold("components")),
        model.recognition.z.register_forward_hook(hold("logits")),
    ]
    model.eval()
    terms = objective.five_terms(model, y, generator=stream.cpu)
    weights = (0.0, 1.0, 1.0, config.z_prior_weight, config.cv_weight, 0.0)
    found = {}
    for name, term, weight in zip(terms._fields, terms, weights, strict=True):
        for place, tensor in held.items():
            (into,) = torch.autograd.grad(term.sum(), tensor, retain_graph=True, allow_unused=True)
            size = 0.0 if into is None else weight * float(into.flatten(1).norm(dim=1).mean())
            found[f"{name} into {place}"] = size
    model.train()
    for hook in hooks:
        hook.remove()
    return found


def draw(results: list[dict[str, Any]]) -> Figure:
    """Occupancy, certainty and distance by step, a line for each run."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    shown = {
        "clusters_used": "clusters in use (of 14)",
        "q_z_entropy": "entropy of q(z | y), nats",
        "moved": "distance moved (root mean square), in rates",
    }
    for axes, (key, title) in zip(panels, shown.items(), strict=True):
        for index, settings in enumerate(SETTINGS):
            for row in [r for r in results if r["settings"] == settings]:
                steps = [n["step"] for n in row["notes"]]
                label = settings if row["seed"] == 1 else None
                axes.plot(steps, [n[key] for n in row["notes"]], color=f"C{index}", alpha=0.8, label=label)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize="small")
    return figure


def table(results: list[dict[str, Any]]) -> None:
    """The means over seeds at a few steps."""
    columns = (
        "consistency_violation into components", "conditional_prior into components",
        "consistency_violation into logits", "conditional_prior into logits", "z_prior into logits",
        "q_z_entropy", "clusters_used", "moved", "nmi",
    )  # fmt: skip
    print("| settings | step | " + " | ".join(columns) + " |")
    print("|" + " --- |" * (len(columns) + 2))
    for settings in SETTINGS:
        rows = [r for r in results if r["settings"] == settings]
        for index, step in enumerate(STEPS):
            if step in (20, 100, 150, 300, 600, 1200):
                means = [sum(r["notes"][index][c] for r in rows) / len(rows) for c in columns]
                print(f"| {settings} | {step} | " + " | ".join(f"{m:.3g}" for m in means) + " |")


if __name__ == "__main__":
    main()
