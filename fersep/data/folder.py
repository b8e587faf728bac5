"""Anyone's own faces: class folders, with or without splits, or a table.

Three layouts: ``root/{train,validation,test}/<class>/*``; ``root/<class>/*``, which is
split here; ``root/faces.csv`` with the columns path, label and, if known, split and
person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from fersep.data.classes import BASIC_CLASSES, COMPOUND_CLASSES
from fersep.data.files import (
    SUFFIXES,
    Files,
    leaves,
    merge_rows,
    read_table,
    say_skipped,
)
from fersep.data.types import SPLITS, Card, Counts, DataError, Listing, Skipped

BASIC_WORDS = {
    "NE": ("neutral",),
    "HA": ("happy", "happiness", "joy"),
    "SA": ("sad", "sadness"),
    "SU": ("surprise", "surprised"),
    "FE": ("fear", "fearful", "afraid"),
    "AN": ("angry", "anger"),
    "DI": ("disgust", "disgusted"),
}
COMPOUND_WORDS = {
    "HS": "happily surprised",
    "HD": "happily disgusted",
    "SF": "sadly fearful",
    "SA": "sadly angry",
    "SS": "sadly surprised",
    "SD": "sadly disgusted",
    "FA": "fearfully angry",
    "FS": "fearfully surprised",
    "AS": "angrily surprised",
    "AD": "angrily disgusted",
    "DS": "disgustedly surprised",
}
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}

CARD = Card(
    name="folder",
    source="a reader's own folder",
    people="Known to the reader.",
    consent="To be made sure by the reader.",
    license="Known to the reader.",
    labels="As the folder or table names them.",
    biases="Unknown.",
    redistributable=False,
)

LAYOUTS = "root/train/<class>/…, root/<class>/… or root/faces.csv"


#: Nothing is published of a folder of one's own.
PUBLISHED: dict[str, Counts] = {}


def list_images(name: str, root: Path) -> Listing:
    """Find the images of a folder and what is known of each.

    Raises
    ------
    DataError
        If the folder is empty or has none of the three layouts.
    """
    skipped: Skipped = defaultdict(list)
    if (root / "faces.csv").is_file():
        rows = _from_table(root, skipped)
    else:
        rows = _from_folders(root, skipped)
    if not rows:
        raise DataError(
            f"{root} holds no image in one of the layouts {LAYOUTS}"
            f"{say_skipped(skipped)}; an image ends in {', '.join(sorted(SUFFIXES))}"
        )
    classes, numbers = named_classes(sorted({label for _, label, _, _ in rows}))
    splits = [split for _, _, split, _ in rows]
    if any(splits) and not all(splits):
        bare = next(path for path, _, split, _ in rows if not split)
        raise DataError(
            f"some images have a split but {bare.relative_to(root)} has none; name it "
            "for all or for none"
        )
    for needed in ("train", "test"):
        if any(splits) and needed not in splits:
            raise DataError(
                f"{root} names splits but has no {needed} image; add some, or leave "
                "the splits out and they are made here, person by person"
            )
    return Listing(
        [path for path, _, _, _ in rows],
        [numbers[label] for _, label, _, _ in rows],
        [group for _, _, _, group in rows],
        splits if all(splits) else None,
        classes,
        skipped,
    )


def named_classes(labels: list[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the class names, and the class number of each label found.

    The paper's codes and English names are known, and stand in the paper's order; if
    any label is neither, the labels themselves are the classes, in alphabetical order.
    """
    basic = {c.lower(): c for c in BASIC_CLASSES}
    basic |= {word: c for c, words in BASIC_WORDS.items() for word in words}
    compound = {c.lower(): c for c in COMPOUND_CLASSES}
    compound |= {words: c for c, words in COMPOUND_WORDS.items()}
    for known, order in ((basic, BASIC_CLASSES), (compound, COMPOUND_CLASSES)):
        plain = {label: re.sub(r"[\s_-]+", " ", label).lower() for label in labels}
        if all(word in known for word in plain.values()):
            numbers = {label: order.index(known[word]) for label, word in plain.items()}
            return order, numbers
    return tuple(labels), {label: i for i, label in enumerate(labels)}


def person(path: Path) -> str:
    """Return the person a file name tells of, as in ``Ada_Lovelace_0003.jpg``.

    Two words at least must stand before the number: ``img_0003`` names nobody.
    """
    found = re.fullmatch(r"([^\W\d]+(?:[ _-][^\W\d]+)+)[ _-]\d+", path.stem)
    return found[1].lower() if found else str(path).lower()


def _from_folders(root: Path, skipped: Skipped) -> list[tuple[Path, str, str, str]]:
    below = [p for p in sorted(root.iterdir()) if p.is_dir()]
    below = [p for p in below if not p.name.startswith(".")]
    parts = {
        p: SPLIT_WORDS[p.name.lower()] for p in below if p.name.lower() in SPLIT_WORDS
    }
    if parts and len(parts) < len(below):
        other = next(p.name for p in below if p not in parts)
        raise DataError(
            f"{root} mixes split folders with the folder {other}; use one of the "
            f"layouts {LAYOUTS}"
        )
    if parts and "train" not in parts.values():
        raise DataError(f"{root} has split folders but no train folder; add one")
    rows = []
    places = parts or {root: ""}
    for place in dict.fromkeys([root, *places]):
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in SUFFIXES and not path.is_dir():
                stray = str(path.relative_to(root))
                skipped["image outside the class folders"].append(stray)
    for place, split in places.items():
        for label, path in Files(place, root, skipped).paths.items():
            if "/" in label:
                group = person(path.relative_to(root))
                rows.append((path, label.split("/")[0], split, group))
    return rows


def _from_table(root: Path, skipped: Skipped) -> list[tuple[Path, str, str, str]]:
    table = root / "faces.csv"
    files = Files(root, root, skipped)
    skipped["file that is no image"].remove(table.name)
    said: dict[str, list[tuple[str, tuple[str, str, str]]]] = {}
    named: set[str] = set()
    for number, row in enumerate(read_table(table, ("path", "label")), start=2):
        line = f"line {number}: {row['path']}"
        split = row.get("split", "").lower()
        if leaves(row["path"]):
            raise DataError(
                f"line {number} of {table} names {row['path']}, which lies outside the "
                "folder; move the image into it"
            )
        if split and split not in SPLIT_WORDS:
            raise DataError(
                f"line {number} of {table} has the split {row['split']!r}; use "
                f"{', '.join(SPLITS)}"
            )
        name = files.find(row["path"])
        named.add(name or "")
        if not row["label"]:
            skipped["row without a label"].append(line)
        elif not name:
            skipped["row without an image file"].append(line)
        else:
            who = row.get("person", "").lower() or person(Path(row["path"]))
            facts = (row["label"], SPLIT_WORDS.get(split, ""), who)
            said.setdefault(name, []).append((line, facts))
    known = merge_rows(said, skipped)
    others = [name for name in files.paths if name not in named]
    skipped["image file without a row"].extend(others)
    return [(files.paths[name], *facts) for name, facts in known.items()]
