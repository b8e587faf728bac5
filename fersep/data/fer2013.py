"""FER2013: grey photographs in the wild of 48 x 48 pixels, kept in one table.

Layouts: ``fer2013.csv`` (columns ``emotion,pixels,Usage``) or ``icml_face_data.csv``
(the same, in another order), in the root or below ``fer2013``; or class folders below
``train`` and ``test``, which keep no public and private test apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fersep.data import folder
from fersep.data.classes import BASIC_CLASSES, counts
from fersep.data.files import say_skipped
from fersep.data.images import square_image
from fersep.data.types import Array, Card, Counts, DataError, Listing, Skipped

#: Label in the table -> class.
CODES = {0: "AN", 1: "DI", 2: "FE", 3: "HA", 4: "SA", 5: "SU", 6: "NE"}

#: Usage in the table -> split. Public and private test images stay apart.
USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}

#: 28,709, 3,589 and 3,589 images.
PUBLISHED: dict[str, Counts] = {
    "fer2013": counts(
        BASIC_CLASSES,
        train=(4965, 7215, 4830, 3171, 4097, 3995, 436),
        validation=(607, 895, 653, 415, 496, 467, 56),
        test=(626, 879, 594, 416, 528, 491, 55),
    )
}

CARD = Card(
    name="FER2013",
    source="the competition Challenges in Representation Learning: Facial Expression "
    "Recognition, kaggle.com, 2013",
    people="Tens of thousands of people on photographs from the web; who they are is "
    "not told.",
    consent="None is documented: the photographs were found by a search engine.",
    license="The rules of the competition, to be accepted on its page, where the table "
    "is then downloaded",
    labels="The word the photograph was searched by, afterwards looked over by people; "
    "many labels are wrong: people agree with about two of three.",
    biases="What a search engine finds for words of emotion; few faces of disgust; "
    "pictures that are nearly the same stand on both sides of the splits.",
    redistributable=False,
    citation="Goodfellow et al., Challenges in representation learning: a report on "
    "three machine learning contests, Neural Networks 64, 2015",
)

TABLES = ("fer2013.csv", "icml_face_data.csv")
SIDE = 48


def list_images(name: str, root: Path) -> Listing:
    """Find the images of the table, else of the folders.

    Raises
    ------
    DataError
        If none of the layouts is found, or the table has no usable row.
    """
    homes = (root, root / "fer2013")
    for table in (home / file for home in homes for file in TABLES):
        if table.is_file():
            return _from_table(name, root, table)
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


def _from_table(name: str, root: Path, table: Path) -> Listing:
    if not table.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{table} is a link that leaves the root; copy the table there")
    skipped: Skipped = defaultdict(list)
    labels, splits, parts, names = [], [], [], []
    for number, label, usage, start, length in rows_of(table, skipped):
        row = f"{table.name} line {number}"
        if not label.isdigit() or int(label) not in CODES:
            skipped["unknown label"].append(f"{row}: {label}")
        elif usage not in USAGE:
            skipped["unknown usage"].append(f"{row}: {usage}")
        else:
            labels.append(BASIC_CLASSES.index(CODES[int(label)]))
            splits.append(USAGE[usage])
            parts.append((start, length))
            names.append(row)
    if not labels:
        raise DataError(
            f"{table} has no usable row{say_skipped(skipped)}; get the table anew"
        )
    return Listing(
        [table] * len(labels),
        labels,
        names,
        splits,
        BASIC_CLASSES,
        skipped,
        PUBLISHED[name],
        parts,
        names,
        read_pixels,
    )


def rows_of(table: Path, skipped: Skipped) -> Iterator[tuple[int, str, str, int, int]]:
    """Yield line number, label, usage, and where in the file the pixels stand.

    The table is as large as all its images: pixels are left where they are until an
    image is decoded.

    Raises
    ------
    DataError
        If the first line does not name the three columns.
    """
    place = 0
    order = None
    with table.open("rb") as file:
        for number, line in enumerate(file, start=1):
            cells = line.removeprefix(b"\xef\xbb\xbf").split(b",")
            words = [cell.strip(b' "\r\n') for cell in cells]
            if order is None:
                header = [word.lower() for word in words]
                if not {b"emotion", b"pixels", b"usage"} <= set(header):
                    got = line[:60].decode(errors="replace").strip()
                    raise DataError(
                        f"{table} needs the columns emotion, pixels and Usage in its "
                        f"first line, separated by commas; it begins with {got}"
                    )
                order = [header.index(c) for c in (b"emotion", b"usage", b"pixels")]
                width = len(header)
            elif len(words) != width:
                if words != [b""]:
                    reason = f"row that has not {width} columns"
                    skipped[reason].append(f"{table.name} line {number}")
            else:
                label, usage = (words[i].decode(errors="replace") for i in order[:2])
                start = place + sum(len(cell) + 1 for cell in cells[: order[2]])
                yield number, label, usage, start, len(cells[order[2]])
            place += len(line)


def read_pixels(path: Path, size: int, part: tuple[int, int]) -> Array | None:
    """Return the image at (start, length) of a table as (3, size, size) uint8.

    None if these are not 48 x 48 numbers from 0 to 255.
    """
    start, length = part
    with path.open("rb") as file:
        file.seek(start)
        words = file.read(length).strip(b' "\r\n').split()
    try:
        pixels = np.array(words, dtype=np.float64)
    except ValueError:
        return None
    if len(pixels) != SIDE**2 or not ((pixels >= 0) & (pixels <= 255)).all():
        return None
    grey = pixels.astype(np.uint8).reshape(SIDE, SIDE)
    return square_image(Image.fromarray(grey).convert("RGB"), size)
