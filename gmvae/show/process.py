"""A process that draws pictures, so that training does not wait for them: both ends of its pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from gmvae.show.request import Request

MAXIMUM = 8
"""Maximum number of requests that wait, each with its snapshot in memory. For one more, training waits."""
DRAWN = b"drawn\n"
"""The answer to a request."""


class DrawingProcess:
    """The training process's side. Pictures are drawn in their order, by a process that is started with the
    first request.

    If that process cannot be started, or ends early, everything it has not drawn is drawn here, which also
    raises the errors that it had. It ends when its pipe closes, however this process ends.
    """

    def __init__(self) -> None:
        self.waiting: deque[Request] = deque()
        self.changed = Condition()
        self.thread: Thread | None = None
        self.here = False  # whether this process draws
        self.closing = False

    def ask(self, request: Request) -> None:
        """Have pictures drawn. Those that wait and that this request replaces are not drawn.

        Raises:
            OSError: if this process draws, and cannot read or write a file.
        """
        with self.changed:
            left = [older.before(request) for older in self.waiting]
            self.waiting = deque([*filter(None, left), request])
            self.changed.notify_all()
        if self.thread is None and not self.here:
            self._start()
        with self.changed:
            self.changed.wait_for(lambda: self.here or len(self.waiting) <= MAXIMUM)
        self.look()

    def look(self) -> None:
        """Draw here what the other process could not draw; errors as of :meth:`ask`."""
        while self.here and self.waiting:
            from gmvae.show.pictures import draw  # matplotlib takes half a second to import

            draw(self.waiting.popleft())

    def close(self) -> None:
        """Wait until all pictures are drawn and the process has ended; errors as of :meth:`ask`."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        while self.thread is not None and self.thread.is_alive():
            self.thread.join(0.2)  # on Windows, Ctrl-C does not end a longer wait
        self.thread, self.closing = None, False
        self.look()

    def _start(self) -> None:
        if not sys.executable or getattr(sys, "frozen", False) or _customised():
            self.here = True
            return
        self.thread = Thread(target=self._serve, daemon=True)
        try:
            self.thread.start()
        except RuntimeError:  # the system allows no further thread
            self.thread, self.here = None, True

    def _serve(self) -> None:
        """Pass requests to the process and wait for its answers, in a thread."""
        request = None
        try:
            with start() as process:
                while (request := self._next()) is not None:
                    request.write(process.stdin)  # type: ignore[arg-type]
                    if process.stdout.readline() != DRAWN:  # type: ignore[union-attr]
                        process.kill()
                        raise ChildProcessError
        except Exception:  # whatever it is, this process draws from now on
            with self.changed:
                self.waiting.extendleft([] if request is None else [request])
                self.here = True
                self.changed.notify_all()

    def _next(self) -> Request | None:
        """Wait for the next request; ``None`` if there will be none."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.closing)
            request = self.waiting.popleft() if self.waiting else None
            self.changed.notify_all()
        return request


def start() -> subprocess.Popen[bytes]:
    """Start a new interpreter that draws what it is asked for. It has a process group of its own, which
    Ctrl-C in a terminal does not reach."""
    options: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        quiet = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        options = {"creationflags": quiet | subprocess.BELOW_NORMAL_PRIORITY_CLASS}
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path)
    environment = os.environ | {"PYTHONPATH": paths}
    if sys.dont_write_bytecode:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-P", "-m", __name__]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, **options)  # noqa: S603


def _customised() -> bool:
    """Whether this process has changed settings of matplotlib, which another one would not know."""
    matplotlib: Any = sys.modules.get("matplotlib")
    return matplotlib is not None and any(
        matplotlib.rcParams[name] != value
        for name, value in matplotlib.rcParamsOrig.items()
        if name not in ("backend", "interactive")  # neither matters to files
    )


def main() -> None:
    """The other process's side: draw requests from standard input until it ends, or until one fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)  # with more, a busy machine would make the end of a run wait for its last pictures
    requests, answers = sys.stdin.buffer, os.dup(sys.stdout.fileno())
    sys.stdout = sys.stderr
    # the training process draws what fails here, and raises its error there
    with suppress(Exception):
        while (request := Request.read(requests)) is not None:
            from gmvae.show.pictures import draw

            draw(request)
            os.write(answers, DRAWN)


if __name__ == "__main__":
    main()
