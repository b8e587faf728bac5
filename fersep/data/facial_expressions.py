"""Photographs in the wild under an open license: muxspace/facial_expressions.

Layout: ``images/*.jpg`` and ``data/legend.csv`` with ``user.id,image,emotion``.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from fersep.data.classes import BASIC_CLASSES
from fersep.data.files import Files, merge_rows, no_file_reason
from fersep.data.rows import make_listing, read_rows, skip
from fersep.data.types import Card, DataError, Listing, Photo, Skipped

#: Label in the legend -> class.
CODES = {
    "neutral": "NE",
    "happiness": "HA",
    "sadness": "SA",
    "surprise": "SU",
    "fear": "FE",
    "anger": "AN",
    "disgust": "DI",
}

CARD = Card(
    name="facial_expressions",
    source="github.com/muxspace/facial_expressions",
    people="Mostly public figures from press photographs; some of unknown origin.",
    consent="None is documented: an open license on files is not the consent of the "
    "people in them.",
    license="Apache License 2.0",
    labels="One word per image from one of five sources; what a face shows, not what "
    "a person feels.",
    biases="Half neutral, two fifths happy, very few fearful; most images of disgust "
    "show one single person; public figures, most of them adult men.",
    redistributable=False,
    citation="muxspace/facial_expressions, commit 5fb9c13a, Apache License 2.0",
)


def list_images(name: str, root: Path) -> Listing:
    """Read the legend: which images are used, with which label and person.

    An image with rows that agree counts once; one with rows that contradict each other
    is left out. Contempt is not among the paper's classes and is left out.

    Raises
    ------
    DataError
        If the legend or the images are missing or no row is usable.
    """
    advice = f"give the root of a copy of {CARD.source}"
    legend = root / "data" / "legend.csv"
    if not legend.is_file():
        raise DataError(f"{legend} is missing; {advice}")
    skipped: Skipped = defaultdict(list)
    files = Files(root / "images", root, skipped, advice=advice)
    said: dict[str, list[tuple[str, str]]] = {}
    for number, row in read_rows(legend, ("image", "emotion")):
        line = f"line {number}: {row['image']}, {row['emotion']}"
        emotion = row["emotion"].lower()
        image = files.find(row["image"])
        reasons = {
            "contempt, not one of the paper's classes": emotion == "contempt",
            "unknown label": emotion not in CODES,
            no_file_reason(row["image"]): not image,
        }
        if not skip(skipped, line, reasons):
            said.setdefault(image, []).append((line, CODES[emotion]))
    known = sorted(merge_rows(said, skipped).items())
    others = [f"images/{image}" for image in files.not_found()]
    skipped["image file without a row"].extend(others)
    return make_listing(
        [Photo(files.paths[image], code, person(image)) for image, code in known],
        BASIC_CLASSES,
        skipped,
        {},
        nothing=f"{root} has no image with a usable row in {legend.name}",
        advice=advice,
    )


def person(file_name: str) -> str:
    """Return the lower-case name before the number, else the whole file name."""
    found = re.fullmatch(r"(.*[^\W\d].*?)_(\d+)", os.path.splitext(file_name)[0])
    return found[1].lower() if found else file_name.lower()
