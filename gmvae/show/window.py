"""A window that follows a run in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from gmvae.show.figures import OF_SNAPSHOT
from gmvae.show.run_figures import draw_from, draw_on
from gmvae.show.watching import LOOK, Watcher
from gmvae.store.run_folder import RunFolder

State = tuple[Path, int]
"""A file that a picture is drawn from, and the time it was written."""


class Followed:
    """One picture of a run, or of the newest run at any time.

    Arguments:
        picture: Its name.
        find: Returns the run's folder; called at each look.
    """

    def __init__(self, picture: str, find: Callable[[], RunFolder]) -> None:
        self.picture, self.find = picture, find
        self.watcher: Watcher | None = None

    def look(self) -> State | None:
        """What can be drawn now, or ``None``. This also requests a new picture from a run in progress."""
        folder = self.find()
        if self.picture not in OF_SNAPSHOT:
            return _state(folder.path / "config.json" if self.picture == "stability" else folder.metrics)
        if self.watcher is None or self.watcher.folder.path != folder.path:
            self.close()
            self.watcher = Watcher(folder, self.picture)
        self.watcher.ask()
        newest = self.watcher.newest()
        return None if newest is None else _state(newest)

    def draw(self, state: State, figure: Figure) -> None:
        """Draw what :meth:`look` found."""
        path, _ = state
        if self.picture in OF_SNAPSHOT:
            draw_from(self.find(), path, self.picture, figure)
        else:
            draw_on(RunFolder(path.parent), self.picture, figure)

    def close(self) -> None:
        """Withdraw the request for pictures."""
        if self.watcher is not None:
            self.watcher.close()


def _state(path: Path) -> State | None:
    try:
        return path, path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def follow(followed: Followed, every: float = LOOK) -> None:
    """Show a picture in a window, again each time there is a new one, until the window is closed.

    Arguments:
        followed: The picture.
        every: Seconds between two looks.

    Raises:
        ValueError: if there is no display to open a window on.
    """
    from matplotlib import pyplot

    if not has_display():
        raise ValueError(
            f"no window can be opened (matplotlib's backend is {pyplot.get_backend()}): "
            "without --live the picture is drawn into a file"
        )
    figure = pyplot.figure()
    figure.show()
    seen = None
    with closing(followed):
        while pyplot.fignum_exists(figure.number):
            now = followed.look()
            if now is not None and now != seen:
                # a file can disappear: another window was closed, or the run was removed
                try:
                    followed.draw(now, figure)
                    seen = now
                except FileNotFoundError:
                    continue
                figure.canvas.draw_idle()
            figure.canvas.flush_events()
            figure.canvas.start_event_loop(every)


@contextmanager
def closing(followed: Followed) -> Iterator[None]:
    """Close what is followed at the end, also after an interruption."""
    try:
        yield
    finally:
        followed.close()


def has_display() -> bool:
    """Whether matplotlib can open a window here."""
    from matplotlib import pyplot
    from matplotlib.backends import BackendFilter, backend_registry

    return pyplot.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE)
