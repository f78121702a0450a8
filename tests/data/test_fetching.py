"""Where files of published data are searched for, and how they are downloaded from faulty servers."""

from __future__ import annotations

import hashlib
import http.server
import struct
import threading
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_files import NAMES, complaint, small, write_small

from gmvae.data.sets import images
from gmvae.data.sets.images import fashion_mnist, mnist

pytestmark = pytest.mark.usefixtures("alone")


def test_data_are_searched_for_in_the_documented_order(tmp_path, monkeypatch):
    monkeypatch.setenv("GMVAE_DATA_DIR", str(tmp_path / "variable"))
    names = ("named", "variable", "work/data", "home/.cache/gmvae", "home/data")
    places = [tmp_path / name for name in names]
    for seed, place in reversed(list(enumerate(places))):
        write_small(place / "mnist", seed=seed)
        found = mnist(tmp_path / "named")
        np.testing.assert_array_equal(found.y[:, 0], small(seed=seed)[0])
        assert Path(found.folder).resolve() == (place / "mnist").resolve()
    write_small(tmp_path / "named", seed=9)
    np.testing.assert_array_equal(mnist(tmp_path / "named").y[:, 0], small(seed=9)[0])


@pytest.mark.parametrize(
    ("read", "folder"),
    [(mnist, name) for name in ("mnist", "MNIST", "MNIST/raw")]
    + [(fashion_mnist, n) for n in ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST")],
)
def test_folders_have_many_names(tmp_path, read, folder):
    write_small(tmp_path / "data" / folder)
    assert read(tmp_path / "data").folder == str(tmp_path / "data" / folder)
    with complaint("was not found"):
        (fashion_mnist if read is mnist else mnist)(tmp_path / "data")


def test_only_a_named_folder_may_hold_the_files_itself(tmp_path, monkeypatch):
    write_small(tmp_path / "flat")
    (tmp_path / "home").mkdir()
    assert fashion_mnist(tmp_path / "flat").folder == str(tmp_path / "flat")
    assert fashion_mnist("~/../flat").y.shape == (6, 1, 4, 5)
    monkeypatch.setenv("GMVAE_DATA_DIR", str(tmp_path / "flat"))
    with complaint("fashion_mnist was not found"):
        fashion_mnist()


def test_files_of_two_folders_are_not_mixed(tmp_path):
    for folder, names in (("mnist", NAMES[:2]), ("MNIST", NAMES[2:])):
        write_small(tmp_path / "d" / folder)
        for name in names:
            (tmp_path / "d" / folder / name).unlink()
    with complaint(f"mnist was not found in .* put {NAMES[0]}, {NAMES[1]} into {tmp_path}/d/mnist, or name"):
        mnist(tmp_path / "d")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://gmvae.invalid/"])
def test_without_a_network_the_remedy_is_given_at_once(tmp_path, monkeypatch, url, capfd):
    monkeypatch.setattr(images, "MNIST", replace(images.MNIST, url=url))
    started = time.monotonic()
    cache, needed = f"{tmp_path}/home/.cache/gmvae", ", ".join(NAMES)
    with complaint(
        rf"mnist was not found in data, {cache}, {tmp_path}/home/data nor fetched from {url} "
        rf"\({NAMES[0]}: no connection\): put {needed} into {cache}/mnist, or name their folder "
        "with --data-dir"
    ):
        mnist()
    assert time.monotonic() - started < 5
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with complaint(r"data_dir is .*file, a file: it must be a folder"):
        mnist(tmp_path / "file")
    with complaint(r"mnist was not found .* \(.*file.*: Not a directory\)"):
        mnist(tmp_path / "file" / "below")


def test_a_folder_named_after_the_data_may_be_the_data_folder(tmp_path, monkeypatch):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in images.MNIST.files:
        shape = (2, 28, 28) if "images" in name else (2,)
        header = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
        (folder / name).write_bytes(header + bytes(int(np.prod(shape))))
    monkeypatch.setenv("GMVAE_DATA_DIR", str(folder))
    assert mnist().folder == str(folder)
    with complaint(r"fashion_mnist was not found"):
        fashion_mnist()


class Server:
    """Serves a folder. ``plans`` says how the next requests for a file fail: with a status, cut or wrong."""

    def __init__(self, folder: Path) -> None:
        self.plans: dict[str, list[object]] = defaultdict(list)
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/files/")
                outer.asked.append(name)
                plan = outer.plans[name].pop(0) if outer.plans[name] else "whole"
                body = (folder / name).read_bytes()
                if isinstance(plan, int):
                    self.send_error(plan)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write({"whole": body, "cut": body[: len(body) // 2], "wrong": body[::-1]}[plan])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/files/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with a small MNIST, from which mnist() downloads it."""
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    folder = write_small(tmp_path / "served")
    server = Server(folder)
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES}
    monkeypatch.setattr(images, "MNIST", replace(images.MNIST, url=server.url, files=sums))
    server.thread.start()
    yield server
    server.server.shutdown()
    server.thread.join()
    server.server.server_close()


def here(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_missing_files_are_fetched_once(tmp_path, server, capfd):
    data = mnist()
    folder = tmp_path / "home" / ".cache" / "gmvae" / "mnist"
    assert data.folder == str(folder)
    assert here(folder) == sorted(NAMES)
    np.testing.assert_array_equal(data.y[:, 0], small()[0])
    assert server.asked == NAMES
    assert mnist().fingerprint() == data.fingerprint()
    assert server.asked == NAMES
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [f"fetching {server.url}{name} into {folder}" for name in NAMES]


def test_files_are_fetched_to_the_folder_that_is_named(tmp_path, server, monkeypatch):
    monkeypatch.setenv("GMVAE_DATA_DIR", str(tmp_path / "variable"))
    assert mnist().folder == str(tmp_path / "variable" / "mnist")
    monkeypatch.setenv("GMVAE_DATA_DIR", "")
    assert mnist(tmp_path / "named").folder == str(tmp_path / "named" / "mnist")


def test_only_what_is_missing_is_fetched_and_nothing_replaced(tmp_path, server):
    mine = write_small(tmp_path / "mine", seed=3, packed=False)
    (mine / NAMES[2].removesuffix(".gz")).unlink()
    data = mnist(mine)
    assert server.asked == NAMES[2:3]
    np.testing.assert_array_equal(data.y[:, 0], small(seed=3)[0])
    np.testing.assert_array_equal(data.test.y[:, 0], small(seed=100)[0])


@pytest.mark.parametrize("plan", [["cut"], ["wrong"], [503, "cut"], ["cut", "wrong"]])
def test_temporary_failures_are_retried(tmp_path, server, plan):
    server.plans[NAMES[1]] = list(plan)
    data = mnist(tmp_path)
    assert server.asked.count(NAMES[1]) == len(plan) + 1
    np.testing.assert_array_equal(data.labels, small()[1])
    assert here(tmp_path / "mnist") == sorted(NAMES)


@pytest.mark.parametrize(
    ("plan", "attempts", "said"),
    [
        (["cut"] * 3, 3, f"{NAMES[1]}: the connection broke off"),
        (["wrong"] * 3, 3, f"{NAMES[1]} does not have the checksum of the published file"),
        ([500] * 3, 3, f"{NAMES[1]}: the server answers 500"),
        ([404], 1, f"{NAMES[1]}: the server answers 404"),
    ],
)
def test_a_failed_fetch_leaves_no_part_of_a_file(tmp_path, server, plan, attempts, said):
    server.plans[NAMES[1]] = list(plan)
    with complaint(
        rf"mnist was not found in .* nor fetched from {server.url} \({said}\): put {', '.join(NAMES)} into "
        rf"{tmp_path}/mnist, or name their folder with --data-dir"
    ):
        mnist(tmp_path)
    assert server.asked.count(NAMES[1]) == attempts
    assert here(tmp_path / "mnist") == NAMES[:1]
    assert mnist(tmp_path).y.shape == (6, 1, 4, 5)
    assert server.asked.count(NAMES[0]) == 1


def test_a_terminal_sees_a_bar(tmp_path, server, monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    server.plans[NAMES[0]] = ["cut"]
    mnist(tmp_path)
    size = (tmp_path / "served" / NAMES[0]).stat().st_size
    last = capfd.readouterr().err.split("\n")
    assert any(NAMES[0] in line and f"{size}/{size} bytes" in line for line in last)
