"""The site: `sphinx-build -W docs site` makes it of these pages, docstrings and `gmvae COMMAND --help`."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import gmvae

project, author, release = "gmvae", "the gmvae authors", gmvae.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
html_theme, html_title = "furo", f"gmvae {release}"
exclude_patterns = ["commands"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_custom_sections = [("Arguments", "params_style")]
COMMANDS = {
    "Train": ("train data", "train spiral", "resume", "update"),
    "Use a model": ("predict", "embed", "sample", "evaluate", "export"),
    "Look at it": ("info", "describe", "plot", "report", "watch", "relabel"),
}


def write_commands(app: Sphinx) -> None:
    """Write the reference of the command line, as it describes itself."""
    from gmvae.cli.app import main

    lines = ["# Command line", "", "What `gmvae COMMAND --help` prints, for each command.", ""]
    for title, commands in COMMANDS.items():
        lines += [f"## {title}", ""]
        for command in commands:
            out = io.StringIO()
            with redirect_stdout(out), suppress(SystemExit):
                main([*command.split(), "--help"])
            text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).rstrip()
            lines += [f"### gmvae {command}", "", "```text", text, "```", ""]
    Path(app.srcdir, "cli.md").write_text("\n".join(lines))


def escape_stars(*given: Any) -> None:
    """Shapes such as (B, *y_shape) are not emphasis."""
    lines: list[str] = given[-1]
    star = re.compile(r"(:math:`[^`]*`)|(?<=[ (])\*(?=[\w,)])")
    lines[:] = [star.sub(lambda found: found[1] or r"\*", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Make what is generated before pages are read."""
    app.connect("builder-inited", write_commands)
    app.connect("autodoc-process-docstring", escape_stars)
