"""AffectNet: photographs in the wild, the part that people labeled.

Two releases are read. The first: ``Manually_Annotated_file_lists/training.csv`` and
``validation.csv``, and whole photographs below
``Manually_Annotated/Manually_Annotated_Images``, which are cut to the box of each face.
The newer: ``train_set/images/<id>.jpg``, cut already, and
``train_set/annotations/<id>_exp.npy``; the same below ``val_set``. Copies that somebody
sorted into class folders are read too.

The official test images were never released: as in the paper, the validation list is
the test split, and validation images come out of the training list.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fersep.data import folder, names
from fersep.data.files import Files, no_file_reason
from fersep.data.rows import Said, merge_rows, read_code, read_numbers, read_rows, skip
from fersep.data.types import DataError, Listing, Photo, Skipped

#: Label in the files -> class. Anger and disgust stand the other way round than in the
#: paper.
CODES = {0: "NE", 1: "HA", 2: "SA", 3: "SU", 4: "FE", 5: "DI", 6: "AN"}
UNUSED = {
    7: "contempt, not one of the paper's classes",
    8: "labeled as no expression",
    9: "labeled as uncertain",
    10: "labeled as no face",
}

LISTS = {"training.csv": "train", "validation.csv": "test"}
SETS = {"train_set": "train", "val_set": "test"}
#: Where the whole photographs may stand.
PHOTOGRAPHS = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
)
BOX = ("face_x", "face_y", "face_width", "face_height")
NEEDED = ("subdirectory_filepath", *BOX, "expression")
COLUMNS = (*NEEDED[:5], "facial_landmarks", "expression", "valence", "arousal")


def list_images(name: str, root: Path) -> Listing:
    """Find the images of either release; a folder that holds both is refused."""
    places = (root / "Manually_Annotated_file_lists", root)
    tables = (place / file for place in places for file in LISTS)
    table = next(filter(Path.is_file, tables), None)
    sets = [place for place in SETS if (root / place).is_dir()]
    if table and sets:
        raise DataError(
            f"{root} holds both releases of AffectNet, {', '.join(LISTS)} and "
            f"{', '.join(sets)}; give a folder with one of them"
        )
    skipped: Skipped = defaultdict(list)
    if table:
        photos = _list_first(root, table.parent, skipped)
    elif sets:
        photos = [p for place in sets for p in _list_newer(root, place, skipped)]
    else:
        listing = folder.list_known(name, root, CODES, UNUSED)
        nothing = (
            f"{root} holds neither Manually_Annotated_file_lists/training.csv nor "
            "train_set nor class folders"
        )
        advice = "give the folder of AffectNet that holds one of them"
        return replace(listing, nothing=nothing, advice=advice)
    nothing = f"{root} has no usable image of AffectNet"
    return Listing(photos, skipped, nothing, "give the folder as it was unpacked")


def _list_first(root: Path, lists: Path, skipped: Skipped) -> list[Photo]:
    places = [root / place for place in PHOTOGRAPHS]
    place = next(filter(Path.is_dir, places), places[0])
    files = Files(place, root, skipped, advice="unpack the images of AffectNet there")
    said: Said[tuple[Any, ...], tuple[str, str]] = defaultdict(list)
    labels: list[str] = []
    for table in filter(Path.is_file, (lists / file for file in LISTS)):
        for number, cells in read_rows(table, NEEDED, COLUMNS):
            row = f"{table.name} line {number}"
            short = not set(NEEDED) <= cells.keys()
            if skip(skipped, row, {"row with too few columns": short}):
                continue
            where, label = cells[NEEDED[0]], cells["expression"]
            row += f": {where}, {label}"
            image, code = files.find(where), read_code(label)
            labels.append(label)
            x, y, width, height = read_numbers(cells[side] for side in BOX) or [0] * 4
            reasons = {
                UNUSED.get(code, ""): code in UNUSED,
                "unknown label": code not in CODES,
                "row without the box of a face": width <= 0 or height <= 0,
                no_file_reason(where): not image,
            }
            if not skip(skipped, row, reasons):
                face = (image, x, y, x + width, y + height)
                fact = (CODES[code], LISTS[table.name])
                said[face].append((row, fact))
    names.raise_if_shifted("affectnet", labels, CODES, UNUSED)
    skipped["image file without a row"] += files.not_found()
    return [
        Photo(files.paths[image], code, split=split, part=tuple(box))
        for (image, *box), (code, split) in merge_rows(said, skipped).items()
    ]


def _list_newer(root: Path, place: str, skipped: Skipped) -> list[Photo]:
    files = Files(root / place / "images", root, skipped)
    notes = Files(root / place / "annotations", root, skipped, {".npy"})
    photos = []
    for image, path in files.paths.items():
        row = f"{place}/images/{image}"
        note = notes.find(f"{image.rpartition('.')[0]}_exp.npy")
        code = read_label(notes.paths[note]) if note else -1
        reasons = {
            "image file without an annotation": not note,
            UNUSED.get(code, ""): code in UNUSED,
            "unknown label": code not in CODES,
        }
        if not skip(skipped, row, reasons):
            photos.append(Photo(path, CODES[code], split=SETS[place]))
    skipped["annotation without an image file"] += [
        f"{place}/annotations/{note}"
        for note in notes.not_found()
        if note.lower().endswith("_exp.npy")
    ]
    return photos


def read_label(path: Path) -> int:
    """Return the number in an annotation file, -1 if there is none."""
    try:
        return read_code(str(np.load(path, allow_pickle=False).astype(str).flat[0]))
    # A damaged header is parsed as Python's own text is, and raises nearly anything.
    except Exception:
        return -1
