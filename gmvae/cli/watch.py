"""The command that serves a page to follow runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Watch:
    """Follow runs in a browser while they train: a sortable table, curves in common charts, and the map and
    the clusters of each. By default the page is served to this machine only. It shows each epoch as it is
    written."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")] = (
        Path("runs"),
    )
    """Run folders, or folders of runs; runs/ by default."""
    port: int | None = None
    """Port to listen on; by default 5006, or a free one if it is taken."""
    host: str = "127.0.0.1"
    """Address to listen on. With any other address, everyone who can reach it can see the runs."""
    browser: bool = True
    """Whether to open the page in a browser."""

    def __call__(self) -> None:
        from gmvae.show.live.runs import Runs

        if self.port is not None and not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}: it must be a whole number from 0 to 65535")
        runs = Runs(self.runs)
        from gmvae.show.live.server import serve

        serve(runs, self.host, self.port, self._ready)

    def _ready(self, address: str) -> None:
        import webbrowser

        print(f"{address} follows {', '.join(map(str, self.runs))}; stop it with Ctrl-C", flush=True)
        if self.browser:
            webbrowser.open(address)
