"""AffectNet: photographs in the wild, the part that people labeled.

Two releases are read. The first: ``Manually_Annotated_file_lists/training.csv`` and
``validation.csv``, and whole photographs below
``Manually_Annotated/Manually_Annotated_Images``, which are cut to the box of each face.
The newer: ``train_set/images/<id>.jpg``, cut already, and
``train_set/annotations/<id>_exp.npy``; the same below ``val_set``.

The official test images were never released: as in the paper, the validation list is
the test split, and validation images come out of the training list.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fersep.data.classes import BASIC_CLASSES, counts
from fersep.data.files import (
    Files,
    merge_rows,
    no_file_reason,
    read_lines,
    say_skipped,
)
from fersep.data.types import Card, Counts, DataError, Listing, Skipped

#: Label in the files -> class. Anger and disgust stand the other way round than in the
#: paper.
CODES = {0: "NE", 1: "HA", 2: "SA", 3: "SU", 4: "FE", 5: "DI", 6: "AN"}
UNUSED = {
    7: "contempt, not one of the paper's classes",
    8: "labeled as no expression",
    9: "labeled as uncertain",
    10: "labeled as no face",
}

#: The paper's seven classes: 283,901 and 3,500 images.
PUBLISHED: dict[str, Counts] = {
    "affectnet": counts(
        BASIC_CLASSES,
        train=(74874, 134415, 25459, 14090, 6378, 24882, 3803),
        test=(500,) * 7,
    )
}

CARD = Card(
    name="AffectNet",
    source="mohammadmahoor.com, University of Denver",
    people="Hundreds of thousands of people on photographs from the web; who they are "
    "is not told.",
    consent="None is documented: the photographs were found by search engines.",
    license="For research only, not to be passed on; an agreement signed by a "
    "professor or the head of a laboratory is sent with a request form, students ask "
    "through their supervisor",
    labels="The impression of one trained person per face; where two labeled the same "
    "face, they agreed on about three of five.",
    biases="Found by words of emotion in six languages; nearly half of the training "
    "faces are happy, one in seventy-five shows disgust; the test faces are "
    "balanced, the training faces are not.",
    redistributable=False,
    citation="Mollahosseini, Hasani and Mahoor, AffectNet: a database for facial "
    "expression, valence, and arousal computing in the wild, IEEE Transactions on "
    "Affective Computing 10(1), 2019",
)

LISTS = {"training.csv": "train", "validation.csv": "test"}
SETS = {"train_set": "train", "val_set": "test"}
COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
NEEDED = (*COLUMNS[:5], "expression")


def list_images(name: str, root: Path) -> Listing:
    """Find the images of either release.

    Raises
    ------
    DataError
        If the folder holds neither release, both, or no usable image.
    """
    lists = next(
        (
            place
            for place in (root / "Manually_Annotated_file_lists", root)
            if any((place / file).is_file() for file in LISTS)
        ),
        None,
    )
    sets = [place for place in SETS if (root / place).is_dir()]
    if lists and sets:
        raise DataError(
            f"{root} holds both releases of AffectNet, {', '.join(LISTS)} and "
            f"{', '.join(sets)}; give a folder with one of them"
        )
    if not lists and not sets:
        raise DataError(
            f"{root} holds neither Manually_Annotated_file_lists/training.csv nor "
            "train_set; give the folder of AffectNet that holds one of them"
        )
    skipped: Skipped = defaultdict(list)
    rows = _first(root, lists, skipped) if lists else _newer(root, skipped)
    if not rows:
        raise DataError(
            f"{root} has no usable image of AffectNet{say_skipped(skipped)}; give the "
            "folder as it was unpacked"
        )
    return Listing(
        [row.path for row in rows],
        [BASIC_CLASSES.index(row.code) for row in rows],
        [row.name for row in rows],
        [row.split for row in rows],
        BASIC_CLASSES,
        skipped,
        PUBLISHED[name],
        [row.box for row in rows],
    )


class Row(NamedTuple):
    """One face: the image it is cut from, where, its class and split."""

    name: str
    path: Path
    box: tuple[float, float, float, float] | None
    code: str
    split: str


def _first(root: Path, lists: Path, skipped: Skipped) -> list[Row]:
    folder = next(
        (
            place
            for place in (
                root / "Manually_Annotated" / "Manually_Annotated_Images",
                root / "Manually_Annotated_Images",
                root / "Manually_Annotated",
            )
            if place.is_dir()
        ),
        None,
    )
    if folder is None:
        raise DataError(
            f"{root / 'Manually_Annotated' / 'Manually_Annotated_Images'} is missing; "
            "unpack the images of AffectNet there"
        )
    files = Files(folder, root, skipped)
    said: dict[Any, list[tuple[str, tuple[str, str]]]] = {}
    named: set[str] = set()
    for file, split in LISTS.items():
        if not (lists / file).is_file():
            continue
        for number, cells in read_list(lists / file):
            if len(cells) < len(NEEDED):
                row = f"{file} line {number}"
                skipped["row with too few columns"].append(row)
                continue
            where, *box, label = cells
            row = f"{file} line {number}: {where}, {label}"
            image = files.find(where)
            named.add(image or "")
            code = _whole(label)
            face = [side for side in map(_number, box) if side is not None]
            if code in UNUSED:
                skipped[UNUSED[code]].append(row)
            elif code not in CODES:
                skipped["unknown label"].append(row)
            elif len(face) < 4 or min(face[2:]) <= 0:
                skipped["row without the box of a face"].append(row)
            elif not image:
                skipped[no_file_reason(where)].append(row)
            else:
                said.setdefault((image, *face), []).append((row, (CODES[code], split)))
    others = [image for image in files.paths if image not in named]
    skipped["image file without a row"].extend(others)
    known = merge_rows(said, skipped)
    return [
        Row(image, files.paths[image], (x, y, x + width, y + height), code, split)
        for (image, x, y, width, height), (code, split) in known.items()
    ]


def read_list(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and the cells of the columns `NEEDED`; too short a row is cut.

    Some copies of ``validation.csv`` have no header: their columns are `COLUMNS`.

    Raises
    ------
    DataError
        If the columns are others, or the file is no comma-separated text.
    """
    reader = csv.reader(read_lines(path))
    places = None
    try:
        for cells in reader:
            if not cells:
                continue
            cells = [cell.strip() for cell in cells]
            if places is None:
                header = [cell.lower() for cell in cells]
                known = [column.lower() for column in NEEDED]
                if set(known) <= set(header):
                    places = [header.index(column) for column in known]
                    continue
                if len(cells) != len(COLUMNS) or known[0] in header:
                    raise DataError(
                        f"{path} needs the columns {', '.join(NEEDED)} in its first "
                        "line, separated by commas, or no such line and the columns "
                        f"{', '.join(COLUMNS)}; its first line has {len(cells)} "
                        f"columns and begins with {cells[0][:60]}"
                    )
                places = [COLUMNS.index(column) for column in NEEDED]
            yield reader.line_num, [cells[i] for i in places if i < len(cells)]
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of {path} cannot be read ({error}); save the "
            "table as comma-separated text"
        ) from None


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _whole(cell: str) -> int | None:
    number = _number(cell)
    return int(number) if number is not None and number.is_integer() else None


def _newer(root: Path, skipped: Skipped) -> list[Row]:
    rows: list[Row] = []
    for place, split in SETS.items():
        home = root / place
        if not home.is_dir():
            continue
        for needed in ("images", "annotations"):
            if not (home / needed).is_dir():
                raise DataError(
                    f"{home / needed} is missing; give the folder of AffectNet as it "
                    "was unpacked"
                )
        files = Files(home / "images", root, skipped)
        notes = Files(home / "annotations", root, skipped, {".npy"})
        used = set()
        for image, path in files.paths.items():
            row = f"{place}/images/{image}"
            note = notes.find(f"{image.rpartition('.')[0]}_exp.npy")
            if note is None:
                skipped["image file without an annotation"].append(row)
                continue
            used.add(note)
            code = read_label(notes.paths[note])
            if code in UNUSED:
                skipped[UNUSED[code]].append(row)
            elif code not in CODES:
                skipped["unknown label"].append(row)
            else:
                rows.append(Row(row, path, None, CODES[code], split))
        bare = [
            f"{place}/annotations/{note}"
            for note in notes.paths
            if note.lower().endswith("_exp.npy") and note not in used
        ]
        skipped["annotation without an image file"].extend(bare)
    return rows


def read_label(path: Path) -> int | None:
    """Return the number in an annotation file, None if there is none.

    Hundreds of thousands of tiny files are read: `numpy.load` would read the same few
    headers anew each time.
    """
    raw = path.read_bytes()
    length = 10 + int.from_bytes(raw[8:10], "little")
    try:
        cells = np.frombuffer(raw[length:], _type(raw[:length]))
        return _whole(str(cells.astype(str)[0]))
    except (ValueError, IndexError, TypeError):
        return None


@lru_cache
def _type(head: bytes) -> Any:
    file = io.BytesIO(head)
    np.lib.format.read_magic(file)
    _, _, kind = np.lib.format.read_array_header_1_0(file)
    return kind
