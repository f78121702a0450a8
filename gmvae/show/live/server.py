"""The server of the page: Bokeh's, by default on loopback. It answers only requests for known host names."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.protocol.exceptions import ProtocolError
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import bind_sockets
from bokeh.server.views.ws import WSHandler
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import ErrorHandler

from gmvae.show.live.page import Page
from gmvae.show.live.runs import Runs

PORT = 5006
"""The port that is tried first."""
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Socket(WSHandler):
    """Bokeh's web socket. If a browser comes with a token that is damaged or has expired, as after a night's
    sleep, one line says so, without a traceback."""

    def open(self) -> None:
        try:
            super().open()
        except (ProtocolError, ValueError):
            logging.getLogger(__name__).warning("a page that was opened earlier cannot connect: reload it")
            self.close()


class Guarded(BokehTornado):
    """Bokeh's application, which rejects requests with a foreign Host. Otherwise a page of another site could
    point its own name here (DNS rebinding). Bokeh itself checks the Origin of web sockets.

    Arguments:
        hosts: Hosts with ports that it answers, as browsers write them.
        open_page: Draws the page on a document.
    """

    def __init__(self, hosts: tuple[str, ...], open_page: Callable[[Any], Any]) -> None:
        self.hosts = frozenset(hosts)
        application = Application(FunctionHandler(open_page))
        super().__init__({"/": application}, extra_websocket_origins=hosts)
        for rule in self.wildcard_router.rules:
            if rule.target is WSHandler:
                rule.target = Socket

    def find_handler(self, request: Any, **given: Any) -> Any:
        if request.host.lower() not in self.hosts:
            return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})
        return super().find_handler(request, **given)


def serve(
    runs: Runs, host: str = "127.0.0.1", port: int | None = None, ready: Callable[[str], None] = print
) -> None:
    """Serve the page until the process is interrupted.

    Arguments:
        runs: The runs to show; nothing else is served.
        host: The address to listen on.
        port: The port, 0 for any free one; by default 5006, or a free one if it is taken.
        ready: Called with the page's address once it can be opened.

    Raises:
        ValueError: if the port is taken, or the address is not one of this machine.
    """
    sockets, bound = _bound(host, port)
    names = {*LOOPBACK, host} if host in (*LOOPBACK, "::1") else {*LOOPBACK, host, *_own_names()}
    hosts = tuple(sorted(f"{name.lower()}:{bound}" for name in names))

    def open_page(document: Any) -> None:
        def present() -> bool:
            return any(one.connection_count for one in guarded.get_sessions("/") if one.document is document)

        Page(document, runs, present)

    loop = IOLoop.current()
    guarded = Guarded(hosts, open_page)
    http = HTTPServer(guarded)
    http.add_sockets(sockets)
    server = BaseServer(loop, guarded, http)
    server.start()
    ready(f"http://{host if host not in ('0.0.0.0', '::') else _own_names()[0]}:{bound}/")  # noqa: S104
    try:
        loop.start()
    finally:
        server.stop()


def _bound(host: str, port: int | None) -> tuple[list[Any], int]:
    for wanted in (PORT, 0) if port is None else (port,):
        try:
            return bind_sockets(host, wanted)
        except OSError as error:
            taken = error
            if error.errno != errno.EADDRINUSE:
                break
    raise ValueError(
        f"{host} and port {port or PORT} cannot be listened on ({taken.strerror}): "
        "name another --host or --port"
    )


def _own_names() -> list[str]:
    """Names and addresses of this machine in its network."""
    import socket

    name = socket.gethostname()
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(name, None, socket.AF_INET)]
    except OSError:
        found = []
    return [name, *dict.fromkeys(found)]
