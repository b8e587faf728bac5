"""Photographs in the wild under an open license: muxspace/facial_expressions.

Layout: ``images/*.jpg`` and ``data/legend.csv`` with ``user.id,image,emotion``.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from fersep.data.faces import (
    SUFFIXES,
    Card,
    DataError,
    Faces,
    Listing,
    checked_root,
    left_out,
    load_listing,
    read_table,
)
from fersep.records import BASIC_CLASSES

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


def load(name: str, root: str | Path | None, split: str, **options: Any) -> Faces:
    """Load one split; see `fersep.data.load`.

    Raises
    ------
    DataError
        If the folder or its legend is missing or holds no usable row.
    """
    folder = checked_root(name, root)
    return load_listing(name, folder, listed(folder), CARD, split, **options)


def listed(root: Path) -> Listing:
    """Read the legend: which images are used, with which label and person.

    An image with rows that agree counts once; one with rows that contradict each other
    is left out. Contempt is not among the paper's classes and is left out.
    """
    legend = root / "data" / "legend.csv"
    if not legend.is_file():
        raise DataError(
            f"{legend} is missing; give the root of a copy of {CARD.source}, which "
            "holds data/legend.csv and images/"
        )
    table = read_table(legend, ("image", "emotion"))
    rows = [(row["image"], row["emotion"].lower()) for row in table]
    files = set(image_names(root / "images"))
    skipped: Counter[str] = Counter()
    said: dict[str, list[str]] = {}
    for image, emotion in rows:
        if emotion == "contempt":
            skipped["contempt, not one of the paper's classes"] += 1
        elif emotion not in EMOTIONS:
            skipped["unknown label"] += 1
        elif image not in files:
            skipped["row without an image file"] += 1
        else:
            said.setdefault(image, []).append(emotion)
    names = {image for image, _ in rows}
    skipped["image file without a row"] = sum(n not in names for n in files)
    paths, labels, groups = [], [], []
    for image, emotions in sorted(said.items()):
        if len(set(emotions)) > 1:
            skipped["rows that contradict each other"] += len(emotions)
            continue
        skipped["row that repeats another"] += len(emotions) - 1
        paths.append(root / "images" / image)
        labels.append(EMOTIONS[emotions[0]])
        groups.append(person(image))
    if not paths:
        raise DataError(
            f"{root} has no image with a usable row in {legend.name}"
            f"{left_out(skipped)}; give the root of a copy of {CARD.source}"
        )
    kept = Counter({reason: n for reason, n in skipped.items() if n})
    return Listing(paths, labels, groups, None, BASIC_CLASSES, kept)


def image_names(folder: Path) -> list[str]:
    """Return the names of the image files in a folder; thousands take no time."""
    if not folder.is_dir():
        raise DataError(
            f"{folder} is missing; give the root of a copy of {CARD.source}, which "
            "holds data/legend.csv and images/"
        )
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file()]
    return [n for n in names if os.path.splitext(n)[1].lower() in SUFFIXES]


def person(file_name: str) -> str:
    """Return the lower-case name before the number, else the whole file name."""
    found = re.fullmatch(r"(.*[^\W\d].*?)_(\d+)", os.path.splitext(file_name)[0])
    return found[1].lower() if found else file_name.lower()
