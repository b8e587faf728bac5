"""Photographs in the wild under an open license: muxspace/facial_expressions.

Layout: ``images/*.jpg`` and ``data/legend.csv`` with ``user.id,image,emotion``.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

from fersep.data import names
from fersep.data.cards import card
from fersep.data.files import Files, no_file_reason
from fersep.data.rows import Said, merge_rows, read_rows, skip
from fersep.data.types import DataError, Listing, Photo, Skipped


def list_images(name: str, root: Path) -> Listing:
    """Read the legend: which images are used, with which label and person.

    An image with rows that agree counts once; one with rows that contradict each other
    is left out. Contempt is not among the paper's classes and is left out.
    """
    advice = f"give the root of a copy of {card(name).source}"
    legend = root / "data" / "legend.csv"
    if not legend.is_file():
        raise DataError(f"{legend} is missing; {advice}")
    skipped: Skipped = defaultdict(list)
    files = Files(root / "images", root, skipped, advice=advice)
    said: Said[str, str] = defaultdict(list)
    for number, row in read_rows(legend, ("image", "emotion")):
        line = f"line {number}: {row['image']}, {row['emotion']}"
        code, image = names.class_of(row["emotion"]), files.find(row["image"])
        contempt = names.is_contempt(row["emotion"])
        reasons = {
            "contempt, not one of the paper's classes": contempt,
            "unknown label": not code,
            no_file_reason(row["image"]): not image,
        }
        if not skip(skipped, line, reasons):
            said[image].append((line, code))
    known = sorted(merge_rows(said, skipped).items())
    skipped["image file without a row"] += [f"images/{i}" for i in files.not_found()]
    photos = [Photo(files.paths[image], code, person(image)) for image, code in known]
    nothing = f"{root} has no image with a usable row in {legend.name}"
    return Listing(photos, skipped, nothing, advice)


def person(file_name: str) -> str:
    """Return the lower-case name before the number, else nothing."""
    found = re.fullmatch(r"(.*[^\W\d].*?)_(\d+)", os.path.splitext(file_name)[0])
    return found[1].lower() if found else ""
