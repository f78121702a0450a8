"""Compare one CPU thread with all threads, for layers of several sizes, on an idle machine and with a busy
core.

    python benchmarks/threads.py

It prints the time of a training step with all threads divided by the time with one (below 1: more threads
help). The two are timed in turn in one process, several times; the median and the range are shown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time

import torch

from gmvae import ModelConfig, ObjectiveConfig
from gmvae.model.objective import loss
from gmvae.model.vae import GaussianMixtureVAE
from gmvae.training.devices import cpu_threads

SHAPES = {"spiral": (2, 100, 200), "H = 300": (50, 300, 100), "mnist_fc": (784, 1000, 50)}
ROUNDS = 5


def steps(model: GaussianMixtureVAE, y: torch.Tensor, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        loss(model, y, ObjectiveConfig())[0].mean().backward()
    return (time.perf_counter() - began) / count


def spin() -> None:
    while True:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args()
    threads = torch.get_num_threads()
    print(f"| layer | multiplications | {threads} threads / 1, idle | {threads} threads / 1, a core busy |")
    print("| --- | --- | --- | --- |")
    for name, (y_size, hidden, batch) in SHAPES.items():
        model = GaussianMixtureVAE((y_size,), ModelConfig(hidden_size=hidden))
        y = torch.rand(batch, y_size)
        cells = []
        for busy in (False, True):
            other = multiprocessing.Process(target=spin, daemon=True)
            if busy:
                other.start()
            ratios = []
            for _ in range(ROUNDS):
                with cpu_threads(1):
                    steps(model, y, 2)
                    one = steps(model, y, 20)
                steps(model, y, 1)
                ratios.append(steps(model, y, 5) / one)
            if busy:
                other.terminate()
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {name} | {batch * hidden**2:,} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
