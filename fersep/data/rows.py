"""Rows of tables and notes: what they tell of images, or why they are left out."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from fersep.data.files import read_lines, say_skipped
from fersep.data.types import Array, Counts, DataError, Listing, Photo, Skipped


def make_listing(
    photos: Sequence[Photo],
    classes: tuple[str, ...],
    skipped: Skipped,
    published: Counts,
    read: Callable[[Path, int, Any], Array | None] | None = None,
    *,
    nothing: str = "no image is found",
    advice: str = "give the folder as it was unpacked",
) -> Listing:
    """Return the listing of images whose codes are classes.

    Raises
    ------
    DataError
        If there is no image: ``nothing``, what was left out, and ``advice``.
    """
    if not photos:
        raise DataError(f"{nothing}{say_skipped(skipped)}; {advice}")
    return Listing(photos, classes, skipped, published, read)


def skip(skipped: Skipped, row: str, reasons: Mapping[str, bool]) -> bool:
    """Leave a row out under the first reason that holds; say whether one does."""
    for reason, holds in reasons.items():
        if holds:
            skipped[reason].append(row)
            return True
    return False


def finite_numbers(cells: Iterable[str]) -> list[float]:
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


def read_rows(
    path: Path, needed: Sequence[str], headless: Sequence[str] = ()
) -> Iterator[tuple[int, defaultdict[str, str]]]:
    """Yield line number and column -> cell, in lower case and without outer spaces.

    A row that is too short has the first columns alone; others read as empty.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        Columns that must be there.
    headless : sequence of str, optional
        All columns, for a table of which copies without a header exist.

    Raises
    ------
    DataError
        If the file is no comma-separated UTF-8 text or lacks a needed column.
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
