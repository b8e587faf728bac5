"""Symbols that explain themselves: what stands in a formula, beside the formula.

The meaning comes from the page of notation, shape and code from the syntax tree of
`fersep.equations`, the value from the record of the chapter.
"""

import ast
import html
import inspect
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bs4 import BeautifulSoup

#: A numbered formula of a page: its head, label, text and end.
_FORMULA = re.compile(
    r'(?s)(<div class="math[^>]* id="equation-([\w-]+)">)'
    r"(.*?)\\\[(.*?)\\\]\s*</div>"
)
_LETTER = (
    r"\\mathrm\{\w+\}|\\Delta c|\\(?:hat|bar) ?\\?[A-Za-z]+|[A-Za-z]'*|"
    r"\\(?:alpha|delta|eta|kappa|lambda|mu|pi|rho|theta|varepsilon)(?![a-z])"
)
_INDEX = r"_(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w)"
_POWER = r"\^(?:\{[^{}_]*\}|\\\w+|\w)"
#: What is no symbol, or a symbol with its index and power.
_TOKEN = re.compile(
    r"\\(?:begin|end|tag|text|operatorname|mathbb)\{[^{}]*\}|\\mathsf T|"
    rf"(?P<letter>{_LETTER})(?P<index>{_INDEX})?(?P<power>{_POWER})?|\\[A-Za-z]+"
)

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Entry(NamedTuple):
    """A row of the notation: symbol and meaning as HTML, names in the code."""

    symbol: str
    meaning: str
    names: tuple[str, ...]


Entries = dict[tuple[str, str], Entry]


def entries(notation: str, chapter: str) -> Entries:
    """Return the rows that hold in a chapter, like "7b", by letter and index.

    A section that begins with "Chapters 4 and 5" holds in these alone, before others.
    """
    own: Entries = {}
    common: Entries = {}
    for table in _parsed(notation).select("article table"):
        before = table.find_previous(["p", "h1", "h2"])
        words = before.get_text() if before else ""
        scope = re.match(r"Chapters? ([\w, ]+?) uses? ", words)
        if scope and chapter not in re.findall(r"\w+", scope.group(1)):
            continue
        found = own if scope else common
        for row in table.select("tbody tr"):
            cells = row.find_all("td")
            names = tuple(code.get_text() for code in row.select("code"))
            formulas = re.findall(r"(?s)\\\((.*?)\\\)", cells[0].get_text())
            for place, formula in enumerate(formulas):
                # As many names as formulas: each formula has its own.
                its = names[place:][:1] if len(names) == len(formulas) else names
                tokens = _TOKEN.finditer(formula)
                if key := next((_key(t) for t in tokens if t["letter"]), None):
                    symbol, meaning = (each.decode_contents() for each in cells[:2])
                    found.setdefault(key, Entry(symbol, meaning, (key[0], *its)))
    return common | own


@cache
def _parsed(page: str) -> BeautifulSoup:
    return BeautifulSoup(page, "html.parser")


def _key(token: re.Match[str]) -> tuple[str, str]:
    letter = re.sub(r"\\hat ?.*", r"\\hat u", token["letter"]).replace("'''", "")
    return letter, re.sub(r"[_{}]", "", token["index"] or "")


def find(known: Entries, token: re.Match[str]) -> Entry | None:
    """Return the row of a symbol: of its very index, else of its letter with any."""
    letter, index = _key(token)
    near = [key for key in known if key[0] == letter]
    best = [key for key in near if key[1] == index]
    best += [key for key in near if bool(key[1]) == bool(index)] + near
    return known[best[0]] if best else None


def explain_pages(site: Path, pages: Mapping[Path, str]) -> dict[Path, str]:
    """Return the pages of a site; numbered formulas explain their symbols.

    ValueError if the page of notation lacks a symbol of a formula.
    """
    notation = pages.get(site / "book" / "notation.html", "")
    found, lacking = dict(pages), []
    for path, page in pages.items():
        if notation and _FORMULA.search(page):
            record = site.parent / "records" / f"{path.stem}.json"
            kept = json.loads(record.read_text("utf-8")) if record.is_file() else {}
            chapter = path.stem.split("_")[0].lstrip("0")
            values = kept.get("symbols", {})
            found[path], missing = explain(page, notation, chapter, values)
            lacking += [f"{symbol} of {path.name}" for symbol in missing]
    if lacking:
        raise ValueError(f"book/notation.md has no row for {', '.join(lacking)}")
    return found


def explain(
    page: str, notation: str, chapter: str, values: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Return a page whose numbered formulas explain their symbols, and what they lack.

    ``page`` and ``notation`` are HTML, ``chapter`` is a number like "7b"; ``values``
    has those of names in this build, as `in_this_build` gives them.
    """
    known = entries(notation, chapter)
    missing: list[str] = []

    def with_notes(formula: re.Match[str]) -> str:
        head, label, number, tex = formula.groups()
        seen: dict[str, Entry] = {}  # a row is told once, also of two of its symbols

        def mark(token: re.Match[str]) -> str:
            if not token["letter"]:
                return token.group()
            entry = find(known, token)
            if entry is None:
                missing.append(f"{token.group()} in {label}")
                return token.group()
            seen.setdefault(entry.symbol, entry)
            at = f"fersep-symbol at-{list(seen).index(entry.symbol)}"
            return rf"{{\class{{{at}}}{{{token.group()}}}}}"

        marked = html.escape(_TOKEN.sub(mark, html.unescape(tex)), quote=False)
        notes = "".join(_note(entry, values) for entry in seen.values())
        return (
            rf"{head}{number}\[{marked}\]</div>"
            '<details class="fersep-symbols margin">'
            f"<summary>Symbols of {_name(number)}</summary><ul>{notes}</ul></details>"
        )

    return _FORMULA.sub(with_notes, page), missing


def _name(number: str) -> str:
    found = re.search(r"\(([\w.]+)\)", number)
    return f"Eq. {found.group(1)}" if found else "this formula"


def _note(entry: Entry, values: Mapping[str, str]) -> str:
    """Return a row as an item: meaning, shape, value, and the line that computes it."""
    words = [f"<b>{entry.symbol}</b> {entry.meaning}"]
    for name in entry.names:
        shape, line = in_code().get(name, ("", ""))
        words += [f"shape <code>{shape}</code>"] * bool(shape)
        if name in values:
            words.append(f"in this build <code>{html.escape(values[name])}</code>")
        words += [f"<code>{html.escape(line)}</code>"] * bool(line)
        if len(words) > 1:  # the first name that the code knows
            break
    return f"<li>{'<br>'.join(words)}</li>"


def power_of_ten(number: float) -> str:
    """Return a number like 3·10⁻⁴, which no line breaks."""
    digit, power = f"{number:.0e}".split("e")
    return f"{digit}·10{str(int(power)).translate(_RAISED)}"


@cache
def in_code() -> dict[str, tuple[str, str]]:
    """Return the shape and the computing line of each name of `fersep.equations`.

    A parameter has a shape, from the docstrings; Eq. 1 to 9 also have their last line.
    """
    from fersep import equations

    path = Path(inspect.getfile(equations))
    text = path.read_text("utf-8")
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        words = ast.get_docstring(node) or ""
        for names, shape in re.findall(
            r"(?m)^(\w+(?:, \w+)*) : (?:Tensor, )?(\(.*?\)|scalar)", words
        ):
            for name in names.split(", "):
                found.setdefault(name, (shape, ""))
        for each in node.args.args:
            if each.annotation and ast.unparse(each.annotation) == "float":
                found.setdefault(each.arg, ("scalar", ""))
        end = node.body[-1]
        if isinstance(end, ast.Return) and re.match(r"Eq\. \d: ", words):
            line = " ".join((ast.get_source_segment(text, end) or "").split())
            result = re.search(r"Returns\n-+\nTensor, (\(.*?\)|scalar)", words)
            place = f"{path.name}, line {end.lineno}: {line.removeprefix('return ')}"
            found[node.name] = (result.group(1) if result else "", place)
    return found


def in_this_build(namespace: Mapping[str, Any]) -> dict[str, str]:
    """Return values and shapes, in words, of what a chapter has of Eq. 1-9.

    ``namespace`` is the chapter's ``globals()``.
    """
    from torch import Tensor

    from fersep import equations

    def say(value: Any) -> str:
        if isinstance(value, Tensor) and value.ndim:
            return str(tuple(value.shape))
        return f"{float(value):.4g}"

    kinds = (Tensor, int, float)
    given = {n: v for n, v in namespace.items() if isinstance(v, kinds)}
    found: dict[str, str] = {}
    for name, (shape, line) in in_code().items():
        if line:
            function = getattr(equations, name)
            parameters = inspect.signature(function).parameters.values()
            needs = [each.name for each in parameters if each.default is each.empty]
            if all(need in given for need in needs):
                with suppress(ValueError, TypeError, RuntimeError):
                    found[name] = say(function(*(given[need] for need in needs)))
        elif name in given:
            found[name] = say(value := given[name])
            if isinstance(value, Tensor) and re.match(r"\(\w, \w\)", shape):
                sizes = map(str, value.shape)
                found |= zip(re.findall(r"\w+", shape), sizes, strict=False)
    return found
