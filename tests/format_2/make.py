"""Write this folder: files of version 0.1.0 (model format 2), for tests that later versions can still read
them.

python make.py      (with that version installed; later ones write another format or other numbers)
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

import gmvae
from gmvae import GMVAE
from gmvae.store.onnx import export

HERE = Path(__file__).parent
SMALL = {
    "x_size": 2,
    "w_size": 2,
    "hidden_size": 8,
    "epochs": 30,
    "learning_rate": 1e-2,
    "random_state": 0,
    "threads": 1,
}


def main() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 40)
    table = {
        "name": [f"row {i}" for i in range(120)],
        "height": (group * 7 + rng.normal(size=120)).round(3),
        "weight": (group * -300 + 20 * rng.normal(size=120)).round(2),
        "colour": np.array(["red", "green", "blue"])[group],
        "kind": group,
    }
    csv.write_csv(pa.table(table), HERE / "table.csv")
    flags = "--clusters 3 --x-size 2 --w-size 2 --hidden-size 8 --epochs 30 --learning-rate 1e-2 --seed 1"
    flags += " --threads 1"
    run = ["train", "data", "--path", "table.csv", "--text", "one-hot", "--id-column", "name"]
    gmvae_(*run, "--label-column", "kind", "--run-dir", "table", "--init", "kmeans", *flags.split())
    (HERE / "table" / "model.safetensors").rename(HERE / "table.safetensors")
    subprocess.run(["rm", "-r", "table"], check=True, cwd=HERE)

    images = np.clip(
        np.eye(6)[rng.integers(6, size=90)][:, :, None] * 200 + rng.normal(size=(90, 6, 6)) * 20, 0, 255
    )
    images = images.astype(np.uint8).reshape(90, 36)
    GMVAE(3, image_shape=(6, 6), init="kmeans", filters=2, **SMALL).fit(images / 255).save(
        HERE / "images.safetensors"
    )
    rows = np.column_stack([table["height"], table["weight"]])
    GMVAE(3, assignment="posterior", init="kmeans", **SMALL).fit(rows).save(HERE / "posterior.safetensors")

    answers = {"images_X": images, "posterior_X": rows}
    for name, X in {
        "table": csv.read_csv(HERE / "table.csv"),
        "images": images / 255,
        "posterior": rows,
    }.items():
        model = gmvae.load(HERE / f"{name}.safetensors")
        export(model, HERE / f"{name}_onnx")
        answers |= {f"{name}_proba": model.predict_proba(X), f"{name}_x": model.transform(X)}
        answers |= {
            f"{name}_y": model.inverse_transform(model.transform(X)),
            f"{name}_score": model.score_samples(X),
        }
    np.savez_compressed(HERE / "answers.npz", **answers)

    flags = "--points 200 --clusters 3 --hidden-size 8 --batch-size 50 --epochs 100000 --seed 1 --threads 1"
    more = "--checkpoint-every 0 --plots latent --plot-every 100000 --run-dir half_done"
    command = [sys.executable, "-m", "gmvae", "train", "spiral", *flags.split(), *more.split()]
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL)
    while not (HERE / "half_done" / "checkpoint").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (HERE / "half_done" / "plots" / "latent.png").unlink()


def gmvae_(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "gmvae", *arguments], check=True, cwd=HERE)


if __name__ == "__main__":
    main()
