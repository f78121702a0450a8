"""Test runs against kills, damaged files, full disks and two processes at once.

    python benchmarks/reliability.py [--checks kills damage disk resumes] [--kills 200] [--damages 1000]
        [--sizes 20]

kills     SIGKILL at a random moment, once or more, in five kinds of run. After it is resumed, each must end
          with the same records, summary, start and model, bit for bit, as a run that was never stopped.
damage    Flipped bits and truncation of checkpoint, model file, metrics, config and start. Each damaged file
          must be refused with a one-line error that names it.
disk      File systems of 20 sizes, too small for what each command writes. The command must give a one-line
          error with a path there and leave no temporary file, and a run must be resumable once there is room.
          This needs permission to mount a tmpfs, and is skipped without it.
resumes   Two resumes of a run at once: the second must be refused with a one-line error.

Each is a line of benchmarks/results/reliability.jsonl. The script can be interrupted at any time; the next
call continues.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from records import complete, recorded

from gmvae.store.files import checksum, read_tensors
from gmvae.store.model_file import ModelFile
from gmvae.store.run_folder import RunFolder

RESULTS = Path(__file__).parent / "results" / "reliability.jsonl"
SMALL = ["--plot-every", "0", "--checkpoint-every", "0", "--device", "cpu", "--threads", "1"]
SPIRAL = ["train", "spiral", "--points", "400", "--hidden-size", "16", *SMALL]
KINDS = {
    "spiral": [*SPIRAL, "--epochs", "60"],
    "k-means": [*SPIRAL, "--init", "kmeans", "--epochs", "30"],
    "manifold": [*SPIRAL, "--init", "manifold", "--epochs", "20"],
    "restarts": [*SPIRAL, "--init", "kmeans", "--restarts", "3", "--early-stopping", "--epochs", "20"],
    "last 50 ms": [*SPIRAL, "--epochs", "10"],
}
DAMAGED = {
    "checkpoint": "checkpoint/state.safetensors", "model file": "model.safetensors",
    "metrics": "metrics.jsonl", "config": "config.json", "start": "start.json",
}  # fmt: skip
TIMES = ("seconds", "wall_seconds", "samples_per_second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checks", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--kills", type=int, default=200, help="number of kills in total")
    parser.add_argument("--damages", type=int, default=1000, help="number of damages of each file and kind")
    parser.add_argument(
        "--sizes", type=int, default=20, help="number of sizes of full disks, for each writer"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for check in given.checks:
            CHECKS[check](Path(folder), given)
    for record in recorded(RESULTS):
        if "seed" not in record:
            print(record)
    killed = [r for r in recorded(RESULTS) if r["check"] == "kills"]
    same = sum(r["same"] for r in killed)
    print(f"kills: {len(killed)}, of which {same} ended as if they had not been killed")


def kills(folder: Path, given: argparse.Namespace) -> None:
    """Kill runs, resume them, and compare."""
    whole: dict[str, tuple[Path, float]] = {}
    wanted = [
        {"check": "kills", "kind": kind, "seed": seed}
        for seed in range(-(-given.kills // len(KINDS)))
        for kind in KINDS
    ]
    complete(RESULTS, wanted[: given.kills], lambda kind, seed, **_: kill(folder, whole, kind, seed))


def kill(folder: Path, whole: dict[str, tuple[Path, float]], kind: str, seed: int) -> dict[str, Any]:
    """Kill one run at a random moment, with a chance of one in three once more, and then let it end."""
    if kind not in whole:
        path, began = folder / f"whole {kind}", time.monotonic()
        check(gmvae(*KINDS[kind], "--run-dir", path))
        whole[kind] = path, time.monotonic() - began
    reference, seconds = whole[kind]
    rng, run = random.Random(f"{kind} {seed}"), folder / f"{kind} {seed}"
    command, count = [*KINDS[kind], "--run-dir", run], 0
    while True:
        last = kind == "last 50 ms"
        process = start(*command)
        if last:
            while process.poll() is None and len(lines(run)) < len(lines(reference)):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.05))
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.2, 1) * seconds)
        process.kill()
        process.communicate()
        count += 1
        started = (run / "config.json").exists()
        command = ["resume", run] if started else [*KINDS[kind], "--run-dir", run]
        if rng.random() < 2 / 3:
            break
    done = gmvae(*command)
    found = {"kills": count, "status": done.returncode, "same": not done.returncode and same(run, reference)}
    if found["same"]:
        shutil.rmtree(run)
    return found


def lines(run: Path) -> list[str]:
    path = run / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def same(one: Path, other: Path) -> bool:
    """Whether two runs have the same results, except for times."""
    ours, theirs = (_came_to(path) for path in (one, other))
    return ours == theirs and not list(one.rglob("*.part"))


def _came_to(run: Path) -> Any:
    folder = RunFolder(run)
    tensors, about = read_tensors(folder.model)
    about.pop("sha256")
    found = [folder.history(), folder.read_summary(), folder.read_starts(), about, checksum(tensors, {})]
    return _timeless(found)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def damage(folder: Path, given: argparse.Namespace) -> None:
    """Damage files of a finished run, and read them."""
    run = folder / "damaged"
    check(gmvae(*KINDS["k-means"], "--run-dir", run))
    wanted = [
        {"check": "damage", "file": file, "how": how, "count": given.damages}
        for file in DAMAGED
        for how in ("bit flipped", "cut off")
    ]
    complete(RESULTS, wanted, lambda file, how, count, **_: damaged(run, file, how, count))


def damaged(run: Path, file: str, how: str, count: int) -> dict[str, Any]:
    """How often damage to one file was refused with a one-line error, and how often it was not noticed."""
    path, folder, rng = run / DAMAGED[file], RunFolder(run), random.Random(f"{file} {how}")
    readers: dict[str, Callable[[], object]] = {
        "checkpoint": folder.read_checkpoint, "metrics": folder.read_checkpoint,
        "model file": lambda: ModelFile.load(path), "start": folder.read_starts,
        "config": lambda: folder.began(whole=True),
    }  # fmt: skip
    whole, refused, accepted, odd = path.read_bytes(), 0, 0, 0
    for _ in range(count):
        data = bytearray(whole)
        if how == "cut off":
            del data[rng.randrange(len(data)) :]
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            readers[file]()
            accepted += 1
        except (ValueError, OSError) as error:
            refused += (one_line := path.name in str(error) and "\n" not in str(error))
            odd += not one_line
        except Exception:
            odd += 1
    path.write_bytes(whole)
    readers[file]()
    return {"refused": refused, "accepted": accepted, "otherwise": odd}


def disk(folder: Path, given: argparse.Namespace) -> None:
    """Fill file systems of several sizes."""
    with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
        with mounted(folder / "trial", 1 << 20):
            pass
        run, data = folder / "run", folder / "data.csv"
        values = random.Random(0)
        rows = "\n".join(f"{values.gauss(0, 1)},{values.gauss(0, 1)}" for _ in range(4000))
        data.write_text("a,b\n" + rows + "\n")
        train = ["train", "data", "--path", data, "--hidden-size", "32", "--epochs", "3", "--clusters", "3"]
        train += ["--checkpoint-every", "0", "--device", "cpu", "--threads", "1"]
        check(gmvae(*train, "--run-dir", run))
        writers = {
            "train": (train, "--run-dir", "trained"),
            "predict": (["predict", run, data], "-o", "predictions.csv"),
            "predict .parquet": (["predict", run, data], "-o", "predictions.parquet"),
            "embed .npy": (["embed", run, data], "-o", "embedding.npy"),
            "export": (["export", run], "-o", "onnx"),
            "report": (["report", run], "-o", "report.html"),
            "plot": (["plot", "latent", run], "-o", "latent.png"),
        }
        wanted = [{"check": "disk", "writer": name, "sizes": given.sizes} for name in writers]
        complete(RESULTS, wanted, lambda writer, sizes, **_: full(folder, *writers[writer], sizes))


def full(folder: Path, command: list[Any], flag: str, name: str, sizes: int) -> dict[str, Any]:
    """Run a command on file systems from empty to the size that it needs."""
    check(gmvae(*command, flag, folder / name))
    target = folder / name
    files = target.rglob("*") if target.is_dir() else [target]
    needed = sum(file.stat().st_size for file in files if file.is_file())
    _remove(target)
    page, found = (
        os.sysconf("SC_PAGESIZE"),
        {"full": 0, "one line": 0, "left over": 0, "mended": 0, "enough": 0},
    )
    for number in range(1, sizes + 1):
        size = max(2, int(1.2 * needed * number / sizes) // page) * page
        with mounted(folder / "full", size) as small:
            done = gmvae(*command, flag, small / name)
            if not done.returncode:
                found["enough"] += 1
                continue
            found["full"] += 1
            last = done.stderr.strip().splitlines()[-1]
            found["one line"] += last.startswith(f"gmvae: {small}") and "Traceback" not in done.stderr
            found["left over"] += len(list(small.rglob("*.part")))
            remount(small, 1 << 28)
            started = command[0] == "train" and (small / name / "config.json").exists()
            if command[0] == "train" and not started:
                _remove(small / name)
            again = ["resume", small / name] if started else [*command, flag, small / name]
            found["mended"] += not gmvae(*again).returncode
    return found


@contextlib.contextmanager
def mounted(path: Path, size: int) -> Iterator[Path]:
    """A file system in memory of so many bytes."""
    path.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True, capture_output=True
    )
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def remount(path: Path, size: int) -> None:
    """Make room."""
    subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def resumes(folder: Path, given: argparse.Namespace) -> None:  # noqa: ARG001
    """Two resumes of a run at once."""
    complete(RESULTS, [{"check": "resumes", "count": 10}], lambda count, **_: twice(folder, count))


def twice(folder: Path, count: int) -> dict[str, Any]:
    """How often the second of two resumes was refused in one line, and the records were those of a single
    run."""
    run, refused, sound = folder / "twice", 0, 0
    epochs = 1_000_000
    process = start(*SPIRAL, "--epochs", str(epochs), "--run-dir", run)
    while not lines(run):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    for _ in range(count):
        before = len(lines(run))
        first = start("resume", run)
        while len(lines(run)) <= before and first.poll() is None:
            time.sleep(0.02)
        second = gmvae("resume", run)
        refused += (
            second.returncode == 2 and second.stderr.count("\n") == 1 and "another process" in second.stderr
        )
        first.send_signal(signal.SIGTERM)
        first.communicate()
        made = [json.loads(line)["epoch"] for line in lines(run)]
        sound += made == list(range(1, len(made) + 1))
    return {"refused": refused, "sound": sound}


CHECKS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "kills": kills, "damage": damage, "disk": disk, "resumes": resumes,
}  # fmt: skip


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gmvae", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def gmvae(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gmvae", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise SystemExit(done.stderr)


if __name__ == "__main__":
    main()
