"""Time a step, compared with autograd and a lower bound (the floor); fits, compared with another checkout;
and restarts, compared with single fits.

    python benchmarks/speed.py steps [--of compact ...] [--threads 1] [--device cpu] [--jax]
    python benchmarks/speed.py fits [--against CHECKOUT] [--fits wine digits ...] [--runs 3] [--threads 1]
    python benchmarks/speed.py restarts [--runs 3]

A step is what the loop does with a batch: loss, gradient, optimiser. *autograd* is the reference, plain eager
PyTorch (:mod:`gmvae.model.objective`). The *floor* consists of the step's matrix products and convolutions,
forward and backward, the frozen teacher's forward ones, and the optimiser. The three take turns, and a figure
is the median of its times. Tables have the teacher that anchors their clusters, as in their fits. The network
conv is trained by autograd, so for it "ours" is the same as autograd. With ``--jax``, the fully connected
steps are timed in JAX too, if it is installed (benchmarks/in_jax.py), compiled on one
thread. "compiling" is the time until its first five steps are done, in seconds.

Each fit is a new process, in turn with this checkout and with the other, if there is one. Measured are the
seconds of ``fit`` alone, after imports and compilation, and of the whole process. usps.npz is in
GMVAE_DATA_DIR.

Restarts are eight of the spiral, in one process and in two (torchrun), compared with eight single runs, two
at a time. Each result is a line of benchmarks/results/speed.jsonl.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Generator, Tensor, nn

from gmvae.config import ModelConfig
from gmvae.experiments import EXPERIMENTS
from gmvae.model import objective
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.fast.stack import Stack
from gmvae.training.fast.step import FastStep, covers
from gmvae.training.memory import memory_kept
from gmvae.training.optimisers import optimiser

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "speed.jsonl"
BACKWARD = torch.ops.aten.convolution_backward.default
FITS = ["wine", "digits", "usps", "100,000 x 20", "./run.sh spiral"]
FIT = """
import os, sys, time
import numpy as np
from gmvae import GMVAE
from sklearn.datasets import load_digits, load_wine
name, options = sys.argv[1], {}
if name == "wine":
    X, K = load_wine().data, 3
elif name == "digits":
    X, K = load_digits().data, 10
elif name == "usps":
    X, K = np.load(os.path.join(os.environ["GMVAE_DATA_DIR"], "usps.npz"))["X"], 10
    options = {"image_shape": (16, 16), "augment": "image"}
else:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 20)).astype(np.float32)
    X += 4 * rng.normal(size=(10, 20)).astype(np.float32)[rng.integers(10, size=len(X))]
    K = 10
GMVAE(K, random_state=1, epochs=1, **options).fit(X[:500])  # what is imported and compiled on first use
before = time.perf_counter()
GMVAE(K, random_state=1, **options).fit(X)
print("seconds", time.perf_counter() - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("steps", "fits", "restarts"))
    parser.add_argument("--against", type=Path, help="another checkout to compare fits with")
    parser.add_argument("--fits", nargs="+", choices=FITS, default=FITS, help="which fits; all by default")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--of", nargs="+", default=[""], help="beginnings of names of steps; all by default")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jax", action="store_true")
    given = parser.parse_args()
    if given.what == "steps":
        torch.set_num_threads(given.threads)
        table_of_steps(given.of, given.steps, given.device, given.threads, jax=given.jax)
    elif given.what == "restarts":
        table_of_restarts(given.runs)
    else:
        table_of_fits(given.against and given.against.resolve(), given.fits, given.runs, given.threads)


def table_of_steps(of: list[str], count: int, device: str, threads: int, *, jax: bool) -> None:
    """Time a step of every kind; print and record a line for each."""
    if jax:
        os.environ.setdefault(
            "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    more = " JAX, ms | compiling, s |" if jax else ""
    print(f"| step | ours, ms | autograd, ms | floor, ms | ours / floor | autograd / ours |{more}")
    print("| --- | --- | --- | --- | --- | --- |" + (" --- | --- |" if jax else ""))
    for name, (config, shape, batch, anchored) in cases().items():
        if not name.startswith(tuple(of)):
            continue
        with memory_kept():  # as in a fit
            times = measure(config, shape, batch, anchored=anchored, count=count, device=device, jax=jax)
        ours, reference, floor = (1e3 * times[kind] for kind in ("ours", "autograd", "floor"))
        cells = f"{ours:.2f} | {reference:.2f} | {floor:.2f} | {ours / floor:.2f} | {reference / ours:.2f}"
        if jax:
            cells += f" | {1e3 * times['jax']:.2f} | {times['compiling']:.1f}" if "jax" in times else " | |"
        print(f"| {name} | {cells} |", flush=True)
        keep({"step": name, "threads": threads, "device": device, "batch": batch} | times)


def cases() -> dict[str, tuple[ModelConfig, tuple[int, ...], int, bool]]:
    """Model, shape and number of observations, and whether clusters are anchored."""
    table = partial(ModelConfig, clusters=10, hidden_size=128, x_size=10, w_size=10, likelihood="gaussian")
    found: dict[str, tuple[ModelConfig, tuple[int, ...], int, bool]] = {
        "spiral, batch 200": (EXPERIMENTS["spiral"].model, (2,), 200, False),
        "spiral, batch 256": (EXPERIMENTS["spiral"].model, (2,), 256, False),
        "table of 20 columns": (table(), (20,), 64, True),
        "table of 200 columns": (table(), (200,), 64, True),
    }
    for name in ("mnist_fc", "mnist"):
        one = EXPERIMENTS[name]
        for batch in (one.training.batch_size, 256):
            found[f"{name}, batch {batch}"] = (one.model, (1, 28, 28), batch, False)
    compact = table(network="compact", likelihood="bernoulli")
    return found | {"compact, 28 x 28, batch 64": (compact, (1, 28, 28), 64, False)}


def measure(
    config: ModelConfig,
    shape: tuple[int, ...],
    batch: int,
    *,
    anchored: bool,
    count: int,
    device: str,
    samples: int = 1,
    jax: bool = False,
) -> dict[str, Any]:
    """Median seconds of a step of each kind; they take turns."""
    torch.manual_seed(0)
    model = GaussianMixtureVAE(shape, config).to(device).train()
    y = torch.rand(batch, *shape, device=device)
    if config.likelihood == "gaussian":
        y = torch.randn(batch, *shape, device=device)
        model.recognition.take_range(y.amin(0).cpu() - 1, y.amax(0).cpu() + 1)
    teacher = copy.deepcopy(model.recognition).requires_grad_(False).eval() if anchored else None
    weights = replace(EXPERIMENTS["spiral"].objective, mc_samples=samples)
    noise = Generator(device).manual_seed(0)
    adam = optimiser("adam", model.parameters(), 1e-4)

    def autograd() -> None:
        adam.zero_grad()
        known = None if teacher is None else teacher(y)[2]
        loss, terms = objective.loss(model, y, weights, 100, None, known, noise)
        loss.mean().backward()
        adam.step()
        torch.stack((loss, objective.elbo(terms), *terms)).detach().sum(1)

    copied = copy.deepcopy(model)
    own = optimiser("adam", copied.parameters(), 1e-4)
    taught = [] if teacher is None else [teacher]
    fast = FastStep(Stack([copied]), weights, taught) if covers(copied, views=False) else None

    def ours() -> None:
        if fast is not None:
            fast(y.unsqueeze(0), 100, [noise])
            own.step()

    kinds: dict[str, Callable[[], object]] = {
        "autograd": autograd,
        "floor": floor(model, y, teacher, samples),
    }
    if fast is not None:
        kinds["ours"] = ours
    taken, compiling = {}, {}
    if jax and config.network == "fc":
        import in_jax

        kinds["jax"] = compiled = in_jax.JaxStep(model, y, weights, teacher)
        taken, compiling = {"jax": in_jax.STEPS}, {"compiling": compiled.compile()}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    began = time.perf_counter()
    for turn in range(count):
        for kind, step in kinds.items():
            if device != "cpu":
                torch.cuda.synchronize()
            before = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            if turn >= 3:
                times[kind].append((time.perf_counter() - before) / taken.get(kind, 1))
        if time.perf_counter() - began > 30 and turn > 20:
            break
    found = {kind: median(all_of) for kind, all_of in times.items()}
    return {"ours": found["autograd"]} | found | compiling


def floor(
    model: GaussianMixtureVAE, y: Tensor, teacher: nn.Module | None, samples: int
) -> Callable[[], None]:
    """The products of a step: each layer's output, and its gradients by inputs and weights."""
    work: list[Callable[[], object]] = []
    body = model.recognition.body

    def see(layer: Any, inputs: tuple[Tensor], out: Tensor, *, forward_only: bool) -> None:
        given, made = inputs[0].detach(), torch.randn_like(out)
        first = layer is next(iter(body.modules())) or given.shape[1:] == y.shape[1:]
        weight, bias = layer.weight.detach(), layer.bias.detach()
        if isinstance(layer, nn.Linear):
            work.append(lambda: torch.addmm(bias, given, weight.t()))
            if not forward_only:
                work.append(lambda: made.t().mm(given))
                if not first:
                    work.append(lambda: made.mm(weight))
            return
        turned = isinstance(layer, nn.ConvTranspose2d)
        extra = list(layer.output_padding) if turned else [0, 0]
        where: list[Any] = [list(layer.stride), list(layer.padding), [1, 1], turned, extra, 1]
        work.append(lambda: torch.convolution(given, weight, bias, *where))
        work.append(lambda: BACKWARD(made, given, weight, [len(bias)], *where, [not first, True, True]))

    layers = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    for module in (model, teacher):
        if module is None:
            continue
        watch = partial(see, forward_only=module is teacher)
        hooks = [one.register_forward_hook(watch) for one in module.modules() if isinstance(one, layers)]
        with torch.no_grad():
            module.infer(y, samples) if module is model else module(y)
        for hook in hooks:
            hook.remove()
    copied = copy.deepcopy(model)
    adam = optimiser("adam", copied.parameters(), 1e-4)
    for parameter in copied.parameters():
        parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def step() -> None:
        for one in work:
            one()
        adam.step()

    return step


def table_of_fits(other: Path | None, fits: list[str], runs: int, threads: int) -> None:
    """Time whole fits with both checkouts in turn, or with this one alone; print and record a line for
    each."""
    if other is None:
        print("| fit | seconds | whole process, seconds |")
        print("| --- | --- | --- |")
        for name in fits:
            alone = [fit(name, ROOT, threads) for _ in range(runs)]
            print(f"| {name} | {' | '.join(f'{median(one):.1f}' for one in zip(*alone, strict=True))} |")
            keep({"fit": name, "threads": threads, "here": alone})
        return
    print("| fit | seconds here | there | here / there | whole process, seconds | there | here / there |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in fits:
        found: dict[Path, list[tuple[float, float]]] = {ROOT: [], other: []}
        for _ in range(runs):
            for place, all_of in found.items():
                all_of.append(fit(name, place, threads))
        cells = []
        for which in (0, 1):
            here, there = ([one[which] for one in found[place]] for place in (ROOT, other))
            ratio = median(a / b for a, b in zip(here, there, strict=True))
            cells += [f"{median(here):.1f}", f"{median(there):.1f}", f"{ratio:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        keep({"fit": name, "threads": threads, "here": found[ROOT], "there": found[other]})


def fit(name: str, place: Path, threads: int) -> tuple[float, float]:
    """Seconds of a fit, and of its process."""
    env = os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        if name == "./run.sh spiral":
            command = [sys.executable, "-m", "gmvae", "train", "spiral", "--run-dir", f"{folder}/run"]
        else:
            command = [sys.executable, "-c", FIT, name]
        began = time.perf_counter()
        said = subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True).stdout
        whole = time.perf_counter() - began
    line = next((line for line in said.splitlines() if line.startswith("seconds ")), f"seconds {whole}")
    return float(line.split()[1]), whole


def table_of_restarts(runs: int) -> None:
    """Time eight restarts in each way, in turn; print and record a line for each."""
    train = [sys.executable, "-m", "gmvae", "train", "spiral"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    single = [[*train, "--seed", str(seed)] for seed in range(1, 9)]
    ways = {
        "eight runs, two at a time": (single, 2),
        "eight restarts": ([[*train, "--restarts", "8"]], 1),
        "eight restarts, two processes": ([[*launch, *train[1:], "--restarts", "8"]], 1),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, (commands, at_once) in ways.items():
            found[way].append(seconds(commands, at_once))
    print("| way | seconds | of eight runs |")
    print("| --- | --- | --- |")
    first = next(iter(found.values()))
    for way, times in found.items():
        ratio = median(a / b for a, b in zip(times, first, strict=True))
        print(f"| {way} | {median(times):.0f} | {ratio:.2f} |", flush=True)
        keep({"restarts": way, "seconds": times})


def seconds(commands: list[list[str]], at_once: int) -> float:
    """Seconds of training runs, as many ``at_once`` as that."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        began = time.perf_counter()
        quiet = partial(subprocess.run, env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        list(pool.map(quiet, ([*one, "--run-dir", f"{folder}/{i}"] for i, one in enumerate(commands))))
        return time.perf_counter() - began


def keep(record: dict[str, Any]) -> None:
    """Append a result, with the machine and versions that it was measured on."""
    commit = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    about = {"commit": commit.stdout.strip(), "torch": torch.__version__, "machine": platform.processor()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with open(RESULTS, "a") as file:
        file.write(json.dumps(record | about) + "\n")


if __name__ == "__main__":
    main()
