"""Write this folder: files of version 0.2.0, for tests that later versions can still read them.

    python write_files.py      (with that version installed; others may write other numbers)

skewed.safetensors  A model of a table with gaps, a text column and skewed columns, on a logarithmic scale,
                    with names and merges of clusters.
half_done           A run of the spiral that was killed after its second epoch.
answers.npz         The rows of the table, and what the model answered.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gmvae import GMVAE

HERE = Path(__file__).parent
RUN = [
    "train", "spiral", "--points", "200", "--clusters", "3", "--hidden-size", "8", "--batch-size", "50",
    "--init", "kmeans", "--epochs", "4", "--seed", "1", "--threads", "1", "--device", "cpu",
    "--checkpoint-every", "0", "--plot-every", "0", "--run-dir", "half_done",
]  # fmt: skip


def main() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(range(4), 30)
    numbers = np.exp(np.column_stack([2 * group, -3 * (group % 2)]) + rng.normal(0, 0.3, (120, 2)))
    numbers[5, 0] = np.nan
    words = np.array(["red", "green", "blue", "red"])[group]
    model = GMVAE(
        4, scale="log", text="one-hot", missing="impute", x_size=2, w_size=2, hidden_size=8, epochs=30,
        learning_rate=1e-2, random_state=0, threads=1, device="cpu",
    )  # fmt: skip
    X = table(numbers, words)
    model.fit(X)
    model.relabel({"names": {"0": "few"}, "merge": [[1, 2]]})
    model.save(HERE / "skewed.safetensors")
    np.savez_compressed(
        HERE / "answers.npz", numbers=numbers, words=words, labels=model.predict(X),
        proba=model.predict_proba(X), x=model.transform(X), score=model.score_samples(X),
    )  # fmt: skip

    shutil.rmtree(HERE / "half_done", ignore_errors=True)
    process = subprocess.Popen([sys.executable, "-m", "gmvae", *RUN], cwd=HERE, stdout=subprocess.DEVNULL)
    records = HERE / "half_done" / "metrics.jsonl"
    while not records.exists() or len(records.read_text().splitlines()) < 2:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


def table(numbers: np.ndarray[Any, Any], words: np.ndarray[Any, Any]) -> Any:
    """Three columns as an Arrow table."""
    return pa.table({"income": numbers[:, 0], "dose": numbers[:, 1], "colour": words})


if __name__ == "__main__":
    main()
