"""Fuzz every reader: do damaged and hostile files always give a one-line error?

    pip install atheris==3.0.0
    python benchmarks/fuzz.py [--targets npy t7 ...] [--inputs 100000] [--library-inputs 10000]

Each reader gets inputs that atheris (libFuzzer) mutates from small valid files, guided by the branches of
gmvae.data and gmvae.store that they reach. An input must be read, or refused with a ValueError or OSError
that names the file. Anything else is a finding, and so is an input that takes more than 2 s; both are saved
in --findings. Each reader runs in its own process, which also reports its peak memory, and is a line of
benchmarks/results/fuzz.jsonl. The script can be interrupted at any time; the next call does what is missing.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import hashlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from records import complete

RESULTS = Path(__file__).parent / "results" / "fuzz.jsonl"
FORMATS = Path(__file__).parent.parent / "tests" / "format_2"
OWN = ("npy", "t7", "npz", "idx", "gz", "mat", "csv", "json", "metrics", "model", "about")
LIBRARY = ("h5ad", "parquet", "arrow", "png")
SECONDS = 2.0
"""What an input may take."""
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e300,
    float("nan"),
    10**18,
    10**400,
    "",
    "x",
    "\x1b[2J",
    [],
    [[]],
    {},
    {"a": [0]},
)
"""What is put in the place of values of a model's metadata."""
Target = Callable[[Path, bytes], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=OWN + LIBRARY, default=list(OWN + LIBRARY))
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs for each reader of this package")
    parser.add_argument(
        "--library-inputs",
        type=int,
        default=10_000,
        help="inputs for each reader that uses a library to parse",
    )
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child, given.inputs, given.findings)
    wanted = [
        {"target": name, "inputs": given.inputs if name in OWN else given.library_inputs}
        for name in given.targets
    ]
    print("| reader | inputs | findings | slowest, s | peak memory, MB |\n| --- | --- | --- | --- | --- |")
    for r in complete(RESULTS, wanted, lambda **key: make(given.findings, **key)):
        print(f"| {r['target']} | {r['inputs']:,} | {r['found']} | {r['slowest']:.2f} | {r['peak']:.0f} |")
    return None


def make(findings: Path, target: str, inputs: int) -> dict[str, Any]:
    """Fuzz a reader in a process of its own."""
    findings.mkdir(exist_ok=True, parents=True)
    command = [
        sys.executable,
        __file__,
        "--child",
        target,
        "--inputs",
        str(inputs),
        "--findings",
        str(findings),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"{target} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(lines[-1])


def child(name: str, inputs: int, findings: Path) -> None:
    """Fuzz a reader in this process, and print what was found as JSON."""
    import atheris  # type: ignore[import-untyped, unused-ignore]

    with atheris.instrument_imports(include=["gmvae.data", "gmvae.store"]):
        run = target(name)
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    known: set[str] = set()
    slowest, count = 0.0, 0

    def keep(what: str, data: bytes) -> None:
        digest = hashlib.sha256(what.encode()).hexdigest()[:12]
        if digest not in known:
            known.add(digest)
            (findings / f"{name}-{digest}").write_bytes(data)
            (findings / f"{name}-{digest}.txt").write_text(what)

    def one(data: bytes) -> None:
        nonlocal slowest, count
        count += 1
        path, began = folder / f"case.{ENDINGS.get(name, name)}", time.perf_counter()
        try:
            run(path, data)
        except (ValueError, OSError) as error:
            text = str(error)
            if path.name not in text or "\n" in text:
                keep("not one line with the file's name:\n" + _short(error), data)
        except Exception as error:  # that is what is looked for
            keep(_short(error), data)
        seconds = time.perf_counter() - began
        slowest = max(slowest, seconds)
        if seconds > SECONDS:
            keep(f"{seconds:.0f} s", data)
        if count == inputs:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            print(json.dumps({"found": len(known), "slowest": slowest, "peak": peak}), flush=True)
            os._exit(0)

    atheris.Setup(["fuzz", str(corpus), "-max_len=20000", f"-runs={10 * inputs}", "-rss_limit_mb=4096"], one)
    atheris.Fuzz()


ENDINGS = {"gz": "csv.gz", "idx": "gz", "model": "safetensors", "about": "safetensors", "metrics": "jsonl"}


def _short(error: BaseException) -> str:
    """An exception, and where it came from."""
    where = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{type(error).__name__}: " + " < ".join(
        f"{Path(f.filename).name}:{f.lineno}" for f in where[::-1]
    )


def target(name: str) -> Target:
    """Write an input to a file and read it as a user would."""
    from gmvae import load
    from gmvae.data.files.arrays import read_array
    from gmvae.data.files.read import read_file
    from gmvae.data.sets.idx import read_idx
    from gmvae.data.sets.matlab import MatlabFile
    from gmvae.store.card import card
    from gmvae.store.files import checksum, read_json, read_tensors, write_tensors
    from gmvae.store.run_folder import RunFolder

    def written(read: Callable[[Path], object]) -> Target:
        def run(path: Path, data: bytes) -> None:
            path.write_bytes(data)
            read(path)

        return run

    def picture(path: Path, data: bytes) -> None:
        folder = path.with_name("case.png")  # a folder of that name: messages name what is in it
        folder.mkdir(exist_ok=True)
        (folder / "one.png").write_bytes(data)
        read_file(folder)

    def about(path: Path, data: bytes) -> None:
        """Metadata of a model with odd values and a matching checksum, as an attacker may write it."""
        tensors, found = read_tensors(FORMATS / "table.safetensors")
        found.pop("sha256")
        rng = random.Random(data)
        for _ in range(rng.randint(1, 3)):
            replace_one(found, rng)
        write_tensors(path, tensors, {**found, "sha256": checksum(tensors, found)})
        load(path, "cpu")
        card(path)

    def metrics(path: Path, data: bytes) -> None:
        folder = path.with_name("case.jsonl")  # messages name what is in it
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "metrics.jsonl").write_bytes(data)
        RunFolder(folder).history()

    def matlab(path: Path) -> None:
        for variable in MatlabFile(path).variables.values():
            variable.read()

    targets: dict[str, Target] = {
        "t7": written(read_array), "idx": written(read_idx), "mat": written(matlab), "png": picture,
        "json": written(read_json), "metrics": metrics,
        "model": written(lambda path: load(path, "cpu")), "about": about,
    }  # fmt: skip
    return targets.get(name, written(read_file))


def replace_one(value: Any, rng: random.Random) -> None:
    """Replace a random value, somewhere in nested lists and dictionaries, by an odd one."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = rng.choice(keys)
    if isinstance(value[key], (dict, list)) and rng.random() < 0.8:
        replace_one(value[key], rng)
    elif rng.random() < 0.15:
        del value[key]
    else:
        value[key] = copy.deepcopy(rng.choice(ODD))


def seeds(name: str) -> list[bytes]:
    """Small valid files."""
    X = np.arange(24.0).reshape(6, 4) % 7
    if name in ("npy", "npz", "mat", "h5ad", "parquet", "arrow", "png"):
        return _of_libraries(name, X)
    table = b"a,b,c\n1,2.5,x\n3,,y\n"
    idx = bytes([0, 0, 8, 2, 0, 0, 0, 6, 0, 0, 0, 4]) + bytes(range(24))
    if name == "t7":
        head = np.array([4, 1, 3], "<i4").tobytes() + b"V 1" + np.array([17], "<i4").tobytes()
        fields = np.array([6, 4, 4, 1, 1], "<i8").tobytes()
        store = np.array([4, 2, 3], "<i4").tobytes() + b"V 1" + np.array([19], "<i4").tobytes()
        tensor = head + b"torch.DoubleTensor" + np.array([2], "<i4").tobytes() + fields
        return [(tensor + store + b"torch.DoubleStorage" + np.array([24], "<i8").tobytes() + X.tobytes())]
    model = (FORMATS / "table.safetensors").read_bytes()
    known: dict[str, list[bytes]] = {
        "idx": [idx, gzip.compress(idx)], "gz": [gzip.compress(table)], "csv": [table, b"a;b\n1;2\n"],
        "json": [(FORMATS / "half_done" / "config.json").read_bytes()],
        "metrics": [(FORMATS / "half_done" / "metrics.jsonl").read_bytes()[:2000]],
        "model": [model], "about": [b"0", b"1"],
    }  # fmt: skip
    return known[name]


def _of_libraries(name: str, rows: np.ndarray[Any, Any]) -> list[bytes]:
    import pyarrow as pa
    from PIL import Image
    from pyarrow import feather, parquet
    from scipy import io as matlab
    from scipy import sparse

    def made(*writes: Callable[[io.BytesIO], object]) -> list[bytes]:
        found = []
        for write in writes:
            file = io.BytesIO()
            write(file)
            found.append(file.getvalue())
        return found

    table = pa.table({"a": rows[:, 0], "b": rows[:, 1], "c": list("xyxyxy")})
    if name == "h5ad":
        import anndata

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "seed.h5ad"
            anndata.AnnData(rows).write_h5ad(path)
            return [path.read_bytes()]
    writes: dict[str, tuple[Callable[[io.BytesIO], object], ...]] = {
        "npy": (lambda f: np.save(f, rows), lambda f: np.save(f, np.asfortranarray(rows.astype("u1")))),
        "npz": (
            lambda f: np.savez(f, X=rows, labels=np.array(list("aabbcc"))),
            lambda f: sparse.save_npz(f, sparse.csr_array(rows)),
        ),
        "mat": (
            lambda f: matlab.savemat(f, {"X": rows.astype("u1"), "y": rows[:, :1]}),
            lambda f: matlab.savemat(f, {"X": rows}, do_compression=True),
        ),
        "parquet": (lambda f: parquet.write_table(table, f),),
        "arrow": (lambda f: feather.write_feather(table, f),),
        "png": (
            lambda f: Image.fromarray(rows.astype("u1")).save(f, "PNG"),
            lambda f: Image.fromarray(rows.astype("u1")).save(f, "JPEG"),
        ),
    }
    return made(*writes[name])


if __name__ == "__main__":
    main()
