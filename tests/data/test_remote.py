"""Parquet files at the address of a server, and what is said if that does not work."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from commands import bad, gmvae, here
from fsspec.registry import known_implementations
from pyarrow import parquet
from small_fits import three_blobs

TINY = ["--clusters", 3, "--epochs", 10, "--hidden-size", 16, "--init", "kmeans", "--plot-every", 0]


@contextmanager
def server(folder):
    """An FTP server of a folder, in another process, for one user with a password; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", port]
    command += ["-d", str(folder), "-u", "ada", "-P", "secret"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "starting FTP server" in line:
                break
        try:
            yield f"127.0.0.1:{port}"
        finally:
            os.kill(process.pid, signal.SIGTERM)


@pytest.mark.slow
def test_a_model_is_trained_on_a_file_of_a_server_and_answers_for_it(tmp_path):
    pytest.importorskip("pyftpdlib")
    y, labels = three_blobs()
    served = tmp_path / "served"
    (served / "rows").mkdir(parents=True)
    for i, part in enumerate(np.array_split(y, 2)):
        rows = pa.table(dict(zip("abc", part.T, strict=True)))
        parquet.write_table(rows, served / "rows" / f"part-{i}.parquet", row_group_size=50)
    with server(served) as address:
        folder, other = f"ftp://ada:secret@{address}/rows", f"ftp://ada:wrong@{address}/rows"
        run = tmp_path / "run"
        said = gmvae("train", "data", "--path", folder, "--stream", *TINY, "--run-dir", run)
        assert not said.returncode, said.stderr
        assert json.loads((run / "summary.json").read_text())["epochs"] == 10
        said = gmvae("predict", run, f"{folder}/part-*.parquet", "-o", tmp_path / "out.csv")
        assert not said.returncode, said.stderr
        found = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)[:, 0]
        assert [len(set(found[labels == k])) for k in range(3)] == [1, 1, 1]
        said = gmvae("train", "data", "--path", other, *TINY, "--run-dir", tmp_path / "none")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "ftp://ada:...@" in said.stderr
    assert "cannot be opened: error_perm: 530 Authentication failed." in said.stderr


class RefusedError(Exception):
    """An error of a file system that is neither of the system nor about a value."""


class Locked(fsspec.AbstractFileSystem):
    """A file system that knows no credentials."""

    protocol = "locked"

    def info(self, path, **_):
        raise RefusedError("Unable to locate credentials\nand more")


def test_refused_credentials_and_missing_packages_are_an_error_of_one_line(tmp_path, monkeypatch):
    fsspec.register_implementation("locked", Locked, clobber=True)
    monkeypatch.setitem(
        known_implementations,
        "lacking",
        {"class": "not_there.FileSystem", "err": "Install not_there to read it"},
    )
    for address, message in (
        ("locked://bucket/rows.parquet", "cannot be opened: RefusedError: Unable to locate credentials\n"),
        ("lacking://bucket/rows.parquet", "cannot be opened: Install not_there to read it\n"),
    ):
        said = here("train", "data", "--path", address, "--run-dir", tmp_path / "run")
        assert bad(said).endswith(f"{address} {message}")
    assert not (tmp_path / "run").exists()
