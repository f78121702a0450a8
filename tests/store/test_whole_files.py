"""Files are whole or refused, runs have one writer, and a terminated process says how to resume."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import bad, here

from gmvae.store.files import write_json
from gmvae.store.run_folder import RunFolder

pytestmark = pytest.mark.slow

TRAIN = ["train", "spiral", "--points", "300", "--hidden-size", "8", "--plot-every", "0", "--device", "cpu"]
TRAIN += ["--init", "kmeans", "--checkpoint-every", "0"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert here(*TRAIN, "--epochs", "2", "--run-dir", folder).status == 0
    return folder


def flipped(path, rng) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    path.write_bytes(bytes(data))


def shortened(path, rng) -> None:
    """Cut a file somewhere."""
    path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["checkpoint/state.safetensors", "metrics.jsonl"])
@pytest.mark.parametrize("damage", [flipped, shortened])
def test_a_damaged_checkpoint_is_not_resumed(finished, tmp_path, name, damage):
    rng = np.random.default_rng(0)
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    whole = (folder / name).read_bytes()
    for _ in range(25):
        damage(folder / name, rng)
        assert (folder / name).read_bytes() != whole
        with pytest.raises(ValueError, match=r"state\.safetensors|metrics\.jsonl"):
            RunFolder(folder).read_checkpoint()
        (folder / name).write_bytes(whole)
    RunFolder(folder).read_checkpoint()


def test_a_damaged_checkpoint_gives_one_line(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    flipped(folder / "checkpoint" / "state.safetensors", np.random.default_rng(1))
    said = bad(here("resume", folder, "--epochs", "3"))
    assert "state.safetensors" in said
    (folder / "metrics.jsonl").write_text("")
    shutil.copy(finished / "checkpoint" / "state.safetensors", folder / "checkpoint")
    assert "metrics.jsonl does not have the records of the checkpoint" in bad(
        here("resume", folder, "--epochs", "3")
    )


def test_records_after_the_checkpoint_are_dropped(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"restart": 1, "epoch": 3}\n{"restart":')
    assert here("resume", folder, "--epochs", "3").status == 0
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert "loss" in records[2]


def test_a_run_has_one_writer(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    with open(folder / "metrics.jsonl", "a") as file:  # the other process is beyond its checkpoint
        file.write('{"restart": 1, "epoch": 3}\n')
    before = (folder / "metrics.jsonl").read_bytes()
    with RunFolder(folder).locked():
        said = bad(here("resume", folder, "--epochs", "3"))
    assert f"{folder} is being trained by another process" in said
    assert (folder / "metrics.jsonl").read_bytes() == before
    assert here("resume", folder, "--epochs", "3").status == 0


def test_leftovers_of_killed_writers_are_removed(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, written = (folder / f".summary.json.{number}.part" for number in (ended.pid, os.getpid()))
    for part in (left, written):
        part.write_text("{")
    with RunFolder(folder).locked():
        assert not left.exists()
        assert written.exists()  # by a process that is alive


@pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")
def test_all_files_have_the_same_permissions(finished):
    before = os.umask(0)
    os.umask(before)
    for name in ("model.safetensors", "config.json", "checkpoint/state.safetensors", "summary.json"):
        assert stat.S_IMODE((finished / name).stat().st_mode) == 0o666 & ~before, name


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")
def test_a_full_disk_gives_one_line_with_the_path(tmp_path):
    script = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from gmvae.cli.app import main
sys.exit(main(sys.argv[1:]))
"""
    run = tmp_path / "run"
    # without bytecode (-B), of which Python would keep truncated files
    command = [sys.executable, "-B", "-c", script, *TRAIN, "--hidden-size", "64", "--epochs", "2"]
    command += ["--run-dir", run]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith(f"gmvae: {run / 'checkpoint' / 'state.safetensors'}: ")
    )
    assert not list(run.rglob("*.part"))
    assert here("resume", run).status == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_terminated_run_says_how_to_resume(tmp_path, number, status):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "gmvae", *TRAIN, "--epochs", "100000", "--run-dir", run]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    began = time.monotonic()
    while not (run / "metrics.jsonl").exists() and time.monotonic() - began < 120:
        time.sleep(0.1)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == status
    assert f"gmvae resume {run}" in out + error
    assert "Traceback" not in error
    RunFolder(run).read_checkpoint()


def test_a_file_that_cannot_be_written_names_it(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError, match=r"a\.json"):
        write_json(tmp_path / "a.json", {})
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_every_writer_gives_one_line_on_a_full_disk(finished, tmp_path):
    script = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from gmvae.cli.app import main
from pathlib import Path
run, folder, data = map(Path, sys.argv[1:])
writers = {
    "a.csv": ["predict", run, data, "-o"], "a.parquet": ["predict", run, data, "-o"],
    "a.npy": ["embed", run, data, "-o"], "onnx/encoder.onnx": ["export", run, "-o"],
    "a.html": ["report", run, "-o"], "a.png": ["plot", "latent", run, "-o"],
}
for name, command in writers.items():
    target = folder / name
    command = [str(part) for part in (*command, target.parent if name.startswith("onnx") else target)]
    assert main(command) == 0, name
    needed = target.stat().st_size
    target.unlink()
    for share in (0.1, 0.5, 0.95):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * needed), resource.RLIM_INFINITY))
        print(f"writing {target}", file=sys.stderr)
        assert main(command) == 2, name
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert not target.exists() and not list(folder.rglob("*.part")), name
    assert main(command) == 0, name
"""
    run, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(finished, run)
    out.mkdir()
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(5000, 2)))
    command = [sys.executable, "-B", "-c", script, run, out, tmp_path / "rows.npy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line for line in done.stderr.splitlines() if line.startswith(("writing ", "gmvae: "))]
    assert len(said) == 2 * 6 * 3
    for asked, answer in zip(said[::2], said[1::2], strict=True):
        assert answer.startswith(f"gmvae: {asked.removeprefix('writing ')}: ")
