"""Rows of tables and notes: what they tell of images, or why they are left out."""

import codecs
import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import TypeVar

from fersep.data.types import DataError, Skipped

Key = TypeVar("Key")
Fact = TypeVar("Fact")

#: Image -> what is said of it: (name of the row, fact).
Said = defaultdict[Key, list[tuple[str, Fact]]]


def skip(skipped: Skipped, row: str, reasons: Mapping[str, bool]) -> bool:
    """Leave a row out under the first reason that holds; say whether one does."""
    for reason, holds in reasons.items():
        if holds:
            skipped[reason].append(row)
            return True
    return False


def merge_rows(said: Said[Key, Fact], skipped: Skipped) -> dict[Key, Fact]:
    """Return the fact of each image where all rows agree.

    Rows that repeat another, and all that contradict each other, are left out.
    """
    known = {}
    for image, rows in said.items():
        names = [row for row, _ in rows]
        if any(fact != rows[0][1] for _, fact in rows):
            skipped["rows that contradict each other"] += names
        else:
            skipped["row that repeats another"] += names[1:]
            known[image] = rows[0][1]
    return known


def say_skipped(skipped: Mapping[str, Sequence[str]]) -> str:
    """Return in words why files were left out, to stand inside a message."""
    reasons = ", ".join(f"{reason}: {len(n)}" for reason, n in skipped.items() if n)
    return f" (left out: {reasons})" if reasons else ""


def read_numbers(cells: Iterable[str]) -> list[float]:
    """Return cells as numbers, none at all if one of them is no finite number."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return []
    return numbers if all(map(isfinite, numbers)) else []


def read_code(text: str | bytes) -> int:
    """Return the whole number in a text such as ``3.0000000e+00``, -1 if none is."""
    try:
        number = float(text)
    except ValueError:
        return -1
    return int(number) if number.is_integer() else -1


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a table, one at a time: some tables fill the memory.

    `DataError` if a line is no text in UTF-8, or in UTF-16 with its mark.
    """
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            yield from path.read_text("utf-16").splitlines(keepends=True)
            return
        file.seek(0)
        for number, line in enumerate(file, start=1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace")
            if "\0" in text or "\ufffd" in text:
                raise DataError(
                    f"line {number} of {path} is not UTF-8 text; save the table as "
                    "UTF-8, or unpack it if it is an archive"
                )
            yield text


def read_rows(
    path: Path, needed: Sequence[str], headless: Sequence[str] = ()
) -> Iterator[tuple[int, defaultdict[str, str]]]:
    """Yield line number and column -> cell, in lower case and without outer spaces.

    A row that is too short has the first columns alone; others read as empty. Where
    copies without a header exist, ``headless`` names all columns. `DataError` if the
    file is no comma-separated UTF-8 text or lacks one of the columns ``needed``.
    """
    reader = csv.reader(read_lines(path))
    try:
        rows: Iterator[list[str]]
        rows = ([cell.strip() for cell in cells] for cells in reader if cells)
        first = next(rows, list(headless))
        columns: Sequence[str] = [cell.lower() for cell in first]
        if len(first) == len(headless) and needed[0] not in columns:
            columns, rows = headless, chain([first], rows)
        if not set(needed) <= set(columns):
            other = f" (or no such line and {', '.join(headless)})" if headless else ""
            raise DataError(
                f"{path} needs the columns {' and '.join(needed)} in its first line"
                f"{other}, separated by commas; it begins with "
                f"{', '.join(first)[:60]!r}"
            )
        for cells in rows:
            yield reader.line_num, defaultdict(str, zip(columns, cells, strict=False))
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of {path} cannot be read ({error}); save the "
            "table as comma-separated text"
        ) from None
