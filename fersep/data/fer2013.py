"""FER2013: grey photographs in the wild of 48 x 48 pixels, kept in one table.

Layouts: ``fer2013.csv`` (columns ``emotion,pixels,Usage``) or ``icml_face_data.csv``
(the same, in another order), in the root or below ``fer2013``; or class folders below
``train`` and ``test``, which keep no public and private test apart.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fersep.data import folder
from fersep.data.cards import BASIC_CLASSES, PUBLISHED
from fersep.data.images import square_image
from fersep.data.rows import read_code, skip
from fersep.data.types import Array, DataError, Listing, Photo, Skipped

#: Label in the table -> class.
CODES = {0: "AN", 1: "DI", 2: "FE", 3: "HA", 4: "SA", 5: "SU", 6: "NE"}

#: Usage in the table -> split. Public and private test images stay apart.
USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}

TABLES = ("fer2013.csv", "icml_face_data.csv")
COLUMNS = ("emotion", "pixels", "usage")
BOM = "\xef\xbb\xbf"
SIDE = 48


def list_images(name: str, root: Path) -> Listing:
    """Find the images of the table, else of the folders."""
    homes = (root, root / "fer2013")
    for table in (home / file for home in homes for file in TABLES):
        if table.is_file():
            return _from_table(root, table)
    for home in homes:
        if (home / "train").is_dir() and (home / "test").is_dir():
            return _from_folders(name, home)
    bare = next((home for home in homes if (home / "test.csv").is_file()), None)
    if bare:
        raise DataError(
            f"{bare / 'test.csv'} has no labels; get {' or '.join(TABLES)}, which has "
            "the labels of the test images"
        )
    raise DataError(
        f"{root} holds neither {' nor '.join(TABLES)} nor the folders train and test; "
        "give the folder that holds one of them"
    )


def _from_folders(name: str, root: Path) -> Listing:
    listing = folder.list_images(name, root)
    if listing.classes != BASIC_CLASSES:
        raise DataError(
            f"the class folders of {root} are {', '.join(listing.classes)}; name them "
            "by the seven expressions, such as angry, disgust, fear"
        )
    train, *others = PUBLISHED[name].values()
    tests = {code: sum(part[code] for part in others) for code in BASIC_CLASSES}
    return replace(listing, published={"train": train, "test": tests})


def _from_table(root: Path, table: Path) -> Listing:
    if not table.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{table} is a link that leaves the root; copy the table there")
    skipped: Skipped = defaultdict(list)
    photos = []
    # The table is as large as all its images: pixels stay in the file until an image is
    # decoded, and are known by their place. In this encoding a letter is a byte.
    with table.open(encoding="latin-1", newline="\n") as file:
        line = file.readline()
        start, columns = len(line), _find_columns(table, line.removeprefix(BOM))
        width = len(columns)
        for number, line in enumerate(file, start=2):
            row, cells = f"{table.name} line {number}", _cells(line)
            place, start = start, start + len(line)
            ragged = {f"row that has not {width} columns": len(cells) != width}
            if not any(cells) or skip(skipped, row, ragged):
                continue
            label, pixels, usage = (cells[columns.index(c)] for c in COLUMNS)
            code = read_code(label)
            reasons = {
                "unknown label": code not in CODES,
                "unknown usage": usage not in USAGE,
            }
            if not skip(skipped, f"{row}: {label}, {usage}", reasons):
                part = (place + line.index(pixels), len(pixels))
                photos.append(Photo(table, CODES[code], row, USAGE[usage], part, row))
    nothing = f"{table} has no usable row"
    return Listing(photos, skipped, nothing, "get the table anew", read=read_pixels)


def _find_columns(table: Path, line: str) -> list[str]:
    columns = [cell.lower() for cell in _cells(line)]
    if line and not set(COLUMNS) <= set(columns):
        raise DataError(
            f"{table} needs the columns emotion, pixels and Usage in its first line, "
            f"separated by commas; it begins with {line[:60].strip()}"
        )
    return columns


def _cells(line: str) -> list[str]:
    return [cell.strip(' "\r\n') for cell in line.split(",")]


def read_pixels(path: Path, size: int, place: tuple[int, int]) -> Array | None:
    """Return the image at (start, length) of a table as (3, size, size) uint8.

    None if these are not 48 x 48 whole numbers from 0 to 255.
    """
    start, length = place
    with path.open("rb") as file:
        file.seek(start)
        words = file.read(length)
    try:
        # Three times as quick as numbers made one by one.
        pixels = np.fromstring(words, dtype=np.int64, sep=" ")
    except ValueError:
        return None
    if len(pixels) != SIDE**2 or pixels.min() < 0 or pixels.max() > 255:
        return None
    grey = pixels.astype(np.uint8).reshape(SIDE, SIDE)
    return square_image(Image.fromarray(grey).convert("RGB"), size)
