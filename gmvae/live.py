"""A window that follows a run in progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure


def follow(source: Path, draw: Callable[[Figure], object], every: float = 0.5) -> None:
    """Show what ``draw`` makes of a figure, again each time ``source`` changes, until the window is closed.

    Arguments:
        source: The file to watch. It need not be there yet.
        draw: Draws the picture anew.
        every: Seconds between two looks at the file.

    Raises:
        ValueError: where there is no display to open a window on.
    """
    from matplotlib import pyplot
    from matplotlib.backends import BackendFilter, backend_registry

    figure = pyplot.figure()
    if pyplot.get_backend().lower() not in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        raise ValueError(
            f"no window can be opened (matplotlib's backend is {pyplot.get_backend()}): "
            "without --live the picture is drawn into a file"
        )
    seen = None
    figure.show()
    while pyplot.fignum_exists(figure.number):
        now = source.stat().st_mtime_ns if source.exists() else None
        if now is not None and now != seen:
            seen = now
            draw(figure)
            figure.canvas.draw_idle()
        figure.canvas.flush_events()
        figure.canvas.start_event_loop(every)
