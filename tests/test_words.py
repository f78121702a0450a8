"""Plain words: names, messages and documentation use the field's terms, not the words that they replace."""

from __future__ import annotations

import ast
import functools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
TERMS = {
    # the glossary of terms
    r"\b(tells?|telling|told)\b(?!.*\bapart\b)": "report, say, give; progress",
    r"\b(un)?part(ed|ing)\b|\bparts (the |its |their )?(rows|data|images|points)\b": "clusters, splits",
    r"\b(laid|lay|lays|laying) out\b": "embedded",
    r"\blinks (between|of|in|to its|per)\b|\blinked (rows|points)\b": "edges, neighbours",
    r"(?<!augmented )(?<!the )\bviews of (a|the) (row|image)s?\b": "augmented views, augmentations",
    r"\b(fewest|smallest|least|lowest|normalised) cuts?\b": "edges cut",
    r"\bsigns\b(?! with| of inf)": "diagnostics",
    r"\b(judge?(s|d|ing|ments?)?|merits?)\b": "score, restart scores",
    r"\bguidance\b": "the k-means start",
    r"\bsettl(e|es|ed|ing)\b": "resolve; become stable",
    r"\b(?-i:Wish|Recipe)\b": "ReadOptions, Schema",
    r"\b(the|a|their|its) (least|most)( of| that| to|,| and|\.|;|:|$)": "minimum, maximum, greatest",
    r"\bleast (and|to|or) (the )?(greatest|most)\b": "minimum and maximum",
    r"\bbegun\b": "started",
    r"\b(is|are|was|were|be|been|being) held\b(?! out| back| in memory)": "anchored, kept, contained",
    # riddles, and words that readers stumble over
    r"\bmanieth\b": "which neighbour it is",
    r"\b(somebody|whoever|whosoever|no one)\b": "the user; anyone; nobody",
    r"\bseldom\b": "rarely",
    r"\bfor ever\b": "without end",
    r"speaks for itself|\bserves? to\b": "what it does",
    r"\bso as to\b": "to",
    r"\b(likewise|whence|hence|hitherto|heretofore|lest|albeit|(there|here|where)(of|in|by))\b": "the same",
    r"\b(whilst|amongst|amidst|ere|oft|nought|aught|thrice|unto|nigh)\b": "words of today",
    r"\bis luck\b|\bas good as none\b|\bnext to nothing\b|\bnext to none\b": "hardly any",
    r"(\bso that\b|, which\b|, where\b)[^.;:|]*(\bso that\b|, which\b|, where\b)": "two sentences",
}
"""Words not to use, and what to write instead."""
NAMES = {
    r"links": "neighbours, edges, graph",
    r"signs": "diagnostics",
    r"merits?|judge|judging|guidance": "scores, weight of the k-means start",
    r"told|tells?|begun|parted|settled?": "reported, started, clusters, resolved",
    r"wish|recipe": "ReadOptions, Schema",
}
"""Words not to have in names of variables, functions, classes and files, and better ones."""
WHOLE = {r"least|most|some|few": "minimum, maximum, limit, sample, subset"}
"""The same for whole names; names such as ``most_probable`` are fine."""
DEPRECATED = {"signs_"}
"""Names of earlier versions that still work, with a warning."""


def prose(text: str) -> str:
    """A text without code, formulas and addresses."""
    for pattern in (r"``[^`]*``", r"`[^`\n]*`", r"\$[^$\n]+\$", r"\]\([^)]*\)", r"https?://\S+"):
        text = re.sub(pattern, " ", text)
    return text


def of_markdown(path: Path) -> Iterator[tuple[int, str]]:
    """The paragraphs of a page, with the number of their first line. Of the changelog, the newest version."""
    text = path.read_text()
    if path.name == "CHANGELOG.md":
        text = text[: [found.start() for found in re.finditer("^## ", text, re.MULTILINE)][1]]
    text = re.sub(
        r"^```.*?^```$", lambda code: "\n" * code[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL
    )
    number = 1
    for paragraph in re.split(r"(\n(?=\n|[-*|]|\d+\.))", text):
        yield number, prose(paragraph)
        number += paragraph.count("\n")


def of_python(path: Path) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and messages, and the names of tests as words. In tests, strings are data: only
    docstrings count."""
    before, comment, first = tokenize.NEWLINE, "", 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                comment, first = f"{comment} {token.string.lstrip('# ')}", first or token.start[0]
            if token.type in (tokenize.COMMENT, tokenize.NL):
                continue
            if comment:
                yield first, prose(comment)
            alone = before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
            comment, first, before = "", 0, token.type
            if token.type == tokenize.STRING and (
                alone or (" " in token.string and "tests" not in path.parts)
            ):
                yield token.start[0], prose(token.string.replace("\n", " "))
            if token.type == tokenize.NAME and token.string.startswith("test_"):
                yield token.start[0], token.string.replace("_", " ")


@functools.cache
def texts() -> tuple[tuple[str, int, str], ...]:
    """The file, line and text of everything that people read."""
    found = []
    for folder in ("gmvae", "benchmarks", "tests", "docs", "plot"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != Path(__file__):
                found += [(path, *item) for item in of_python(path)]
    for path in (*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))):
        if path.name != "cli.md":  # made of docstrings
            found += [(path, *item) for item in of_markdown(path)]
    for path in (*sorted((ROOT / "gmvae").rglob("templates/*")), ROOT / "run.sh", ROOT / ".ci" / "run"):
        found += [(path, number, line) for number, line in enumerate(path.read_text().splitlines(), 1)]
    return tuple(
        (str(path.relative_to(ROOT)), number, " ".join(text.split())) for path, number, text in found
    )


@pytest.mark.parametrize("term", TERMS)
def test_plain_words(term):
    found = [
        f"{path}:{number}: {match[0]!r}"
        for path, number, text in texts()
        for match in re.finditer(term, text, re.IGNORECASE)
    ]
    assert not found, f"write {TERMS[term]} in\n" + "\n".join(found)


@pytest.mark.parametrize(
    "riddle",
    [
        "its clusters are those of so manieth a neighbour",
        "what no one asked for holds what was taught",
        "which is seldom, nothing is told: all has been",
        "z tells 0.001 nats of y, of 1.39 that 4 could",
        "keeps the restart that speaks for itself",
        "Rows are laid out in two dimensions",
        "the links between rows that a cluster cuts",
        "restarts are judged by their merits",
        "The signs of a fit",
        "settings that 0 leaves open are settled",
        "The least and the greatest number",
        "a fit that was begun, and whose clusters are held",
        "a file, which a reader opens, where the rows are",
    ],
)
def test_riddles_are_found(riddle):
    assert any(re.search(term, riddle, re.IGNORECASE) for term in TERMS)


def names_of(path: Path) -> Iterator[tuple[int, str]]:
    """The names that a file gives to variables, parameters, functions and classes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_names():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {name}, better {better}"
        for folder in ("gmvae", "benchmarks", "tests", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, name in [(1, path.stem), *names_of(path)]
        for patterns, words in (
            (NAMES, re.findall(r"[A-Za-z][a-z]*|[A-Z]+", name)),
            (WHOLE, [name.strip("_")]),
        )
        for pattern, better in patterns.items()
        if name not in DEPRECATED and any(re.fullmatch(pattern, word.lower()) for word in words)
    ]
    assert not found, "\n".join(found)
