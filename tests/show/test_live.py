"""The page that follows runs: what it shows, and which requests its server answers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading

import pytest
from bokeh.document import Document
from bokeh.util.token import generate_jwt_token, generate_session_id
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.websocket import websocket_connect

from gmvae.show.live.page import Page
from gmvae.show.live.runs import Runs
from gmvae.show.live.server import Guarded
from gmvae.store.files import write_sealed

TERMS = (
    "reconstruction",
    "conditional_prior",
    "w_prior",
    "z_prior",
    "consistency_violation",
    "view_consistency",
)


def record(epoch: int, elbo: float, **more) -> str:
    found = dict.fromkeys(("seconds", "wall_seconds", "loss", *TERMS), 1.0)
    return json.dumps(found | {"restart": 1, "epoch": epoch, "elbo": elbo, "clusters_used": 3} | more) + "\n"


def make(path, *records: str):
    path.mkdir(parents=True)
    write_sealed(path / "config.json", {"name": path.name})
    (path / "metrics.jsonl").write_text("".join(records))
    return path


def curves(page: Page) -> dict[str, list[float]]:
    return {path.name: list(source.data["elbo"]) for path, source in page.lines.items()}


@pytest.mark.slow
def test_runs_appear_grow_rewind_and_disappear(tmp_path):
    one = make(tmp_path / "one", record(1, -5.0), record(2, -4.0))
    page = Page(Document(), Runs([tmp_path]))
    assert curves(page) == {"one": [-5, -4]}

    make(tmp_path / "two", record(1, -9.0, test_elbo=-9.5))
    with open(one / "metrics.jsonl", "a") as file:
        file.write(record(3, -3.0) + '{"epoch": 4, "el')  # the last line is being written
    page.update()
    assert curves(page) == {"one": [-5, -4, -3], "two": [-9]}
    assert page.rows.data["epoch"] == [3, 1]
    assert page.rows.data["test_elbo"] == [None, -9.5]
    titles = [plot.title.text for plot in page.curves.children]
    assert len(titles) == 7  # none of an accuracy, which no run has
    assert "clusters in use" in titles
    assert len(set(page.rows.data["colour"])) == 2

    (one / "metrics.jsonl").write_text(record(1, -5.0) + record(2, -4.5))  # resumed from epoch 1
    page.update()
    assert curves(page)["one"] == [-5, -4.5]

    page.rows.selected.indices = [1]
    shutil.rmtree(one)
    page.update()
    assert curves(page) == {"two": [-9]}
    assert page.rows.selected.indices == [0]
    drawn = {one.data_source for plot in page.charts.values() for one in plot.renderers}
    assert drawn == set(page.lines.values())

    shutil.rmtree(tmp_path / "two")
    page.update()
    assert curves(page) == {}


@pytest.mark.slow
def test_a_resumed_run_that_caught_up_between_two_polls_has_its_new_values(tmp_path):
    run = make(tmp_path / "run", record(1, -5.0), record(2, -4.0))
    page = Page(Document(), Runs([run]))
    (run / "metrics.jsonl").write_text(record(1, -5.0) + record(2, -4.25) + record(3, -4.125))
    page.update()
    assert curves(page) == {"run": [-5, -4.25, -4.125]}


def test_states(tmp_path):
    run = make(tmp_path / "run", record(1, -5.0))
    stamp = (run / "metrics.jsonl").stat().st_mtime
    now = [stamp + 1]
    runs = Runs([run], lambda: now[0])
    assert runs.look()[0].state == "in progress"
    now[0] = stamp + 600
    assert runs.look()[0].state == "quiet for 10 min"
    (run / "summary.json").write_text("{}")
    assert runs.look()[0].state == "finished"
    with open(run / "metrics.jsonl", "a") as file:  # trained for longer
        file.write(record(2, -4.0))
    os.utime(run / "summary.json", (stamp, stamp))
    now[0] = (run / "metrics.jsonl").stat().st_mtime
    assert runs.look()[0].state == "in progress"
    (run / "metrics.jsonl").write_text("no json\n")
    assert runs.look()[0].state.startswith("unreadable: ")


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_folders_without_a_run_are_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=name):
        Runs([tmp_path / name])


@pytest.fixture(scope="module")
def answer():
    """Sends a request to the server, which runs in a thread, and returns the status."""
    sock, port = bind_unused_port()
    loop = asyncio.new_event_loop()

    async def listen():
        app = Guarded((f"127.0.0.1:{port}", f"localhost:{port}"), lambda document: None)
        server = HTTPServer(app)
        server.add_sockets([sock])
        return server

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)

    def answer(path="/", socket=False, token="", **headers):
        async def ask():
            url = f"{'ws' if socket else 'http'}://127.0.0.1:{port}{path}"
            request = HTTPRequest(url, headers=headers, request_timeout=30)
            try:
                if socket:
                    opened = await websocket_connect(
                        request, subprotocols=["bokeh", token] if token else None
                    )
                    if token:
                        assert await opened.read_message() is None  # the server closes it
                    opened.close()
                    return 101
                return (await AsyncHTTPClient().fetch(request)).code
            except HTTPClientError as error:
                return error.code

        return asyncio.run_coroutine_threadsafe(ask(), loop).result(60)

    answer.port = port
    yield answer

    async def close():
        server.stop()
        await server.close_all_connections()

    asyncio.run_coroutine_threadsafe(close(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


def test_foreign_hosts_are_refused(answer):
    assert answer() == 200
    for host in ("evil.example", f"evil.example:{answer.port}", f"127.0.0.1:{answer.port}.evil.example"):
        assert answer(Host=host) == 403
        assert answer("/static/js/bokeh.min.js", Host=host) == 403


def test_foreign_origins_open_no_web_socket(answer):
    foreign = answer("/ws", socket=True, Origin="http://evil.example")
    assert foreign == 403
    assert answer("/ws", socket=True, Origin=f"http://localhost:{answer.port}") != 403


@pytest.mark.parametrize("seconds", [None, 1])
def test_a_token_that_is_damaged_or_has_expired_is_one_line(answer, capsys, seconds):
    token = "nonsense"
    if seconds is not None:
        token = generate_jwt_token(generate_session_id(), expiration=-seconds)
    assert answer("/ws", socket=True, token=token) == 101
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("a page that was opened earlier cannot connect: reload it")


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/static/../../../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/static//etc/passwd",
        "/static/js/../../../__init__.py",
        "/config.json",
        "/runs/one/config.json",
    ],
)
def test_no_file_is_served(answer, path):
    assert answer(path) in (403, 404)
