"""FER2013: grey photographs in the wild of 48 x 48 pixels, kept in one table.

Layouts: ``fer2013.csv`` (columns ``emotion,pixels,Usage``) or ``icml_face_data.csv``
(the same, in another order), in the root or below ``fer2013``; or class folders, where
file names such as ``PublicTest_12.jpg`` keep the public and the private test apart.
"""

import codecs
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from fersep.data import folder, names
from fersep.data.cards import BASIC_CLASSES, PUBLISHED
from fersep.data.images import square_image
from fersep.data.rows import skip
from fersep.data.types import Array, DataError, Listing, Photo, Skipped

#: Label in the table -> class.
CODES = {0: "AN", 1: "DI", 2: "FE", 3: "HA", 4: "SA", 5: "SU", 6: "NE"}

TABLES = ("fer2013.csv", "icml_face_data.csv")
COLUMNS = ("emotion", "pixels", "usage")
EDGES = b' "\r\n'
SIDE = 48


def list_images(name: str, root: Path) -> Listing:
    """Find the images of the table, else of the folders."""
    if table := find_table(root):
        return list_rows(root, table)
    listing = folder.list_known(name, root, CODES, {})
    if not listing.photos:
        nothing = f"{root} holds neither {' nor '.join(TABLES)} nor class folders"
        advice = "give the folder that holds one of them"
        return replace(listing, nothing=nothing, advice=advice)
    if all(photo.split != "validation" for photo in listing.photos):
        train, *others = PUBLISHED[name].values()
        tests = {code: sum(part[code] for part in others) for code in BASIC_CLASSES}
        listing = replace(listing, published={"train": train, "test": tests})
    return listing


def find_table(root: Path) -> Path | None:
    """Return the table of FER2013 in a folder, or below its ``fer2013``."""
    tables = (home / file for home in (root, root / "fer2013") for file in TABLES)
    table = next(filter(Path.is_file, tables), None)
    if table and not table.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{table} is a link that leaves the root; copy the table there")
    return table


def list_rows(root: Path, table: Path) -> Listing:
    """Find the images of a table; each has the name ``fer2013.csv line 2``.

    The table is as large as all its images: pixels stay in the file until an image is
    decoded, and are known by their place.
    """
    skipped: Skipped = defaultdict(list)
    photos, labels, short = [], [], table.name
    with table.open("rb", 1 << 18) as file:
        line = file.readline()
        start, columns = len(line), _find_columns(table, line)
        width = len(columns)
        at = [columns.index(c) for c in COLUMNS] if columns else []
        for number, line in enumerate(file, start=2):
            row, cells = f"{short} line {number}", line.split(b",")
            place, start = start, start + len(line)
            if len(cells) != width:
                if line.strip():
                    skipped[f"row that has not {width} columns"].append(row)
                continue
            label, usage, code, use = _read_cells(cells[at[0]], cells[at[2]])
            labels.append(label)
            reasons = {"unknown label": not code, "unknown usage": not use}
            if not (code and use):
                skip(skipped, f"{row}: {label}, {usage}", reasons)
                continue
            where = place + sum(len(cell) + 1 for cell in cells[: at[1]])
            part = (where, len(cells[at[1]]))
            photos.append(Photo(table, code, "", use, part, row))
    names.raise_if_shifted("fer2013", labels, CODES, ())
    nothing = f"{table} has no usable row"
    return Listing(
        photos, skipped, nothing, "get the table anew", read=read_pixels, channels=1
    )


@cache
def _read_cells(label: bytes, usage: bytes) -> tuple[str, str, str, str]:
    """Return label and usage as texts, class and split; empty if they are unknown."""
    told, use = (cell.strip(EDGES).decode("latin-1") for cell in (label, usage))
    return told, use, names.code_of(told, CODES), names.split_of(use)


def _find_columns(table: Path, line: bytes) -> list[str]:
    text = line.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    columns = [cell.strip(' "\r\n').lower() for cell in text.split(",")]
    if line and not set(COLUMNS) <= set(columns):
        raise DataError(
            f"{table} needs the columns emotion, pixels and Usage in its first line, "
            f"separated by commas; it begins with {text[:60].strip()!r}: get the table "
            "anew, unpack it if it is an archive, or save it as UTF-8"
        )
    return columns if line else []


def read_pixels(path: Path, size: int, place: tuple[int, int]) -> Array | None:
    """Return the image at (start, length) of a table as (1, size, size) uint8.

    None if these are not 48 x 48 whole numbers from 0 to 255.
    """
    start, length = place
    with path.open("rb") as file:
        file.seek(start)
        words = file.read(length).strip(EDGES)
    try:
        # Three times as quick as numbers made one by one.
        pixels = np.fromstring(words, dtype=np.int64, sep=" ")
    except ValueError:
        return None
    if len(pixels) != SIDE**2 or pixels.min() < 0 or pixels.max() > 255:
        return None
    grey = pixels.astype(np.uint8).reshape(1, SIDE, SIDE)
    return grey if size == SIDE else square_image(Image.fromarray(grey[0]), size)
