"""No result stands in prose as a typed number: it would stay when the result moves.

A number in a sentence comes from a record (``{glue}``) or is no result: a formula, a
parameter, a citation. Decimals in whole sentences are what typed results look like.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest
from fersep_book import published

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]

#: Typed decimals that are no results: (page, decimal) -> why.
ALLOWED = {
    ("02_faces", ".9"): "chance of a prototype unit: a choice of the renderer",
    ("README", "6.4"): "gigabytes of the locked packages, which no run measures",
}

DECIMAL = re.compile(
    r"(?<![\w.,:])(?:\d+\.\d+|\.\d+)(?:[eE][-+−]?\d+)?(?![\w]|\.\d)"
    r"|(?<![\w.])\d+[eE][-−]\d+(?!\w)"
)

#: What is no sentence, in this order.
NO_PROSE = (
    re.compile(r"^(```+|~~~+).*?^\1", re.M | re.S),  # blocks of code
    re.compile(r"<!--.*?-->", re.S),
    re.compile(r"(`+).+?\1", re.S),  # code, parameters, citations, glued values
    re.compile(r"\$\$.*?\$\$", re.S),
    re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.S),
    re.compile(r"(?<!\\)\$[^$]+?(?<!\\)\$", re.S),
    re.compile(r"https?://[^\s)>]+"),
    re.compile(r"\]\([^)]*\)"),  # where a link leads
    # names of places and programs
    re.compile(
        r"\b(?:[Ee]xercises?|[Ss]ections?|Python|[Vv]ersion|CC[ -]BY|License)[ -]"
        r"\d+\.\d+(?:(?:,| and| to| or) \d+\.\d+)*"
    ),
    re.compile(r"\b\d+\.\d+\.\d+\b"),
)
PAPER_BOX = re.compile(
    r"^(:::+)\{admonition\}[^\n]*\n:class: paper\n.*?^\1", re.M | re.S
)


@cache
def printed_by_the_paper() -> frozenset[str]:
    values = (e["value"] for e in published.entries().values())
    return frozenset(value.rstrip("%") for value in values)


def typed_decimals(text: str) -> list[str]:
    """Return the decimals that an author typed into sentences.

    Words of the paper, in its box, may name the numbers that it prints.
    """
    quoted = "".join(match.group() for match in PAPER_BOX.finditer(text))
    known = printed_by_the_paper()
    found = [n for n in _decimals(quoted) if n not in known]
    return found + _decimals(PAPER_BOX.sub("", text))


def _decimals(text: str) -> list[str]:
    for pattern in NO_PROSE:
        text = pattern.sub(" ", text)
    return DECIMAL.findall(text)


def sentences(path: Path) -> Iterator[str]:
    """Give all prose of a page: text, captions of figures, captions of tables."""
    if path.suffix == ".md":
        yield path.read_text("utf-8")
        return
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            yield cell.source
        else:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            yield figure.get("caption", "")
            yield from table_captions(cell.source)


def table_captions(code: str) -> list[str]:
    """Return the typed words of all captions given to ``figures.table``."""
    return [
        "".join(
            part.value
            for part in ast.walk(call.args[2])
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )
        for call in ast.walk(ast.parse(code))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "figures.table"
        and len(call.args) > 2
    ]


def typed_on(path: Path) -> list[str]:
    return [number for text in sentences(path) for number in typed_decimals(text)]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.stem)
def test_no_result_is_typed(path):
    assert [n for n in typed_on(path) if (path.stem, n) not in ALLOWED] == []


def test_every_exception_is_needed_and_has_a_reason():
    by_name = {path.stem: path for path in [*NOTEBOOKS, *PAGES]}
    for (page, number), reason in ALLOWED.items():
        assert number in typed_on(by_name[page]), (page, number)
        assert len(reason.split()) > 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The accuracy rose by 0.52 points.", ["0.52"]),
        ("It fell to .446, from .5.", [".446", ".5"]),
        ("An error of 3e-16, or 2.5e−3.", ["3e-16", "2.5e−3"]),
        ("**58.84** % and (95.1 %)", ["58.84", "95.1"]),
        ("| intra | 0.92 |", ["0.92"]),
        (":::{admonition} Careful\n:class: careful\nIt was 86.38.\n:::", ["86.38"]),
        (":::{admonition} The paper says\n:class: paper\nOnly 99.99.\n:::", ["99.99"]),
        ("A sentence about `lam`: 0.7 won, not `0.9`.", ["0.7"]),
        ("Costs $5 and 0.25 more.", ["0.25"]),
        ("Section 4.3 says 0.72.", ["0.72"]),
        # no results
        ("With $p = 0.05$ and $$a = 1.5$$ as well.", []),
        ("A gain of {glue:text}`x.gain` by `0.9`, see {cite}`a2019`.", []),
        ("```sh\npapermill -p lr 0.01\n```", []),
        ("Python 3.11, version 1.2, release 2.13.1, exercises 1.1 and 1.2", []),
        ("[data](https://x.org/v1.5/file) and https://y.org/2.0", []),
        (":::{admonition} The paper says\n:class: paper\nBest: 0.9.\n:::", []),
        ("In 2019, pages 897–911, 3,068 images, 12:30, Eq. 5.", []),
    ],
)
def test_typed_results_are_found_and_nothing_else(text, found):
    assert typed_decimals(text) == found


def test_captions_are_prose_too(tmp_path):
    notebook = nbformat.v4.new_notebook()
    code = nbformat.v4.new_code_cell(
        'figures.table(["a"], [[0.25]], f"Gain {x} " "of 0.5 points.")'
    )
    code.metadata["mystnb"] = {"figure": {"caption": "It reached 0.75."}}
    notebook.cells = [code, nbformat.v4.new_markdown_cell("And 0.125 here.")]
    path = tmp_path / "page.ipynb"
    nbformat.write(notebook, path)
    assert typed_on(path) == ["0.75", "0.5", "0.125"]
