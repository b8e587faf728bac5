"""Photographs in the wild under an open license: muxspace/facial_expressions.

Layout: ``images/*.jpg`` and ``data/legend.csv`` with ``user.id,image,emotion``.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from fersep.data.classes import BASIC_CLASSES
from fersep.data.files import (
    Files,
    merge_rows,
    no_file_reason,
    read_table,
    say_skipped,
)
from fersep.data.types import Card, Counts, DataError, Listing, Skipped

EMOTIONS = {
    "neutral": 0,
    "happiness": 1,
    "sadness": 2,
    "surprise": 3,
    "fear": 4,
    "anger": 5,
    "disgust": 6,
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


PUBLISHED: dict[str, Counts] = {}


def list_images(name: str, root: Path) -> Listing:
    """Read the legend: which images are used, with which label and person.

    An image with rows that agree counts once; one with rows that contradict each other
    is left out. Contempt is not among the paper's classes and is left out.

    Raises
    ------
    DataError
        If the legend or the images are missing or no row is usable.
    """
    legend = root / "data" / "legend.csv"
    if not legend.is_file():
        raise DataError(_missing(legend))
    skipped: Skipped = defaultdict(list)
    table = read_table(legend, ("image", "emotion"))
    if not (root / "images").is_dir():
        raise DataError(_missing(root / "images"))
    files = Files(root / "images", root, skipped)
    said: dict[str, list[tuple[str, str]]] = {}
    named: set[str] = set()
    for number, row in enumerate(table, start=2):
        line = f"line {number}: {row['image']}, {row['emotion']}"
        emotion = row["emotion"].lower()
        image = files.find(row["image"])
        named.add(image or "")
        if emotion == "contempt":
            skipped["contempt, not one of the paper's classes"].append(line)
        elif emotion not in EMOTIONS:
            skipped["unknown label"].append(line)
        elif not image:
            skipped[no_file_reason(row["image"])].append(line)
        else:
            said.setdefault(image, []).append((line, emotion))
    known = dict(sorted(merge_rows(said, skipped).items()))
    others = [f"images/{name}" for name in files.paths if name not in named]
    skipped["image file without a row"].extend(others)
    if not known:
        raise DataError(
            f"{root} has no image with a usable row in {legend.name}"
            f"{say_skipped(skipped)}; give the root of a copy of {CARD.source}"
        )
    return Listing(
        [files.paths[image] for image in known],
        [EMOTIONS[emotion] for emotion in known.values()],
        [person(image) for image in known],
        None,
        BASIC_CLASSES,
        skipped,
    )


def _missing(path: Path) -> str:
    return (
        f"{path} is missing; give the root of a copy of {CARD.source}, which holds "
        "data/legend.csv and images/"
    )


def person(file_name: str) -> str:
    """Return the lower-case name before the number, else the whole file name."""
    found = re.fullmatch(r"(.*[^\W\d].*?)_(\d+)", os.path.splitext(file_name)[0])
    return found[1].lower() if found else file_name.lower()
