"""Anyone's own faces: class folders, with or without splits, or a table.

Three layouts: ``root/{train,validation,test}/<class>/*``; ``root/<class>/*``, which is
split here; ``root/faces.csv`` with the columns path, label and, if known, split and
person.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from fersep.data.faces import (
    SPLITS,
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
from fersep.records import BASIC_CLASSES, COMPOUND_CLASSES

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


def load(name: str, root: str | Path | None, split: str, **options: Any) -> Faces:
    """Load one split; see `fersep.data.load`.

    Raises
    ------
    DataError
        If the folder is missing, empty or has none of the three layouts.
    """
    folder = checked_root(name, root)
    return load_listing(name, folder, listed(folder), CARD, split, **options)


def listed(root: Path) -> Listing:
    """Find the images of a folder and what is known of each."""
    skipped: Counter[str] = Counter()
    if (root / "faces.csv").is_file():
        rows = _from_table(root, skipped)
    else:
        rows = _from_folders(root, skipped)
    if not rows:
        raise DataError(
            f"{root} holds no image in one of the layouts {LAYOUTS}"
            f"{left_out(skipped)}; an image ends in {', '.join(sorted(SUFFIXES))}"
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


def _images(folder: Path, root: Path, skipped: Counter[str]) -> list[Path]:
    found = []
    inside = root.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.exists():
            skipped["link to nothing"] += 1
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in SUFFIXES:
            skipped["file that is no image"] += 1
        elif not path.resolve().is_relative_to(inside):
            skipped["link that leaves the root"] += 1
        else:
            found.append(path)
    return found


def _from_folders(
    root: Path, skipped: Counter[str]
) -> list[tuple[Path, str, str, str]]:
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
    for place in {root, *places}:
        stray = [p for p in place.iterdir() if p.is_file()]
        skipped["image outside the class folders"] += sum(
            p.suffix.lower() in SUFFIXES for p in stray
        )
    for place, split in places.items():
        for folder in sorted(p for p in place.iterdir() if p.is_dir()):
            if folder.name.startswith("."):
                continue
            for path in _images(folder, root, skipped):
                group = person(path.relative_to(root))
                rows.append((path, folder.name, split, group))
    skipped += Counter()  # drops reasons that were met zero times
    return rows


def _from_table(root: Path, skipped: Counter[str]) -> list[tuple[Path, str, str, str]]:
    table = root / "faces.csv"
    inside = root.resolve()
    said: dict[Path, list[tuple[str, str, str]]] = {}
    named: set[Path] = set()
    for number, row in enumerate(read_table(table, ("path", "label")), start=2):
        path = root / row["path"]
        split = row.get("split", "").lower()
        if not path.resolve().is_relative_to(inside):
            raise DataError(
                f"line {number} of {table} names {row['path']}, which lies outside the "
                "folder; move the image into it"
            )
        if split and split not in SPLIT_WORDS:
            raise DataError(
                f"line {number} of {table} has the split {row['split']!r}; use "
                f"{', '.join(SPLITS)}"
            )
        named.add(path.resolve())
        if not row["label"]:
            skipped["row without a label"] += 1
        elif not path.is_file():
            skipped["row without an image file"] += 1
        else:
            who = row.get("person", "").lower() or person(Path(row["path"]))
            facts = (row["label"], SPLIT_WORDS.get(split, ""), who)
            said.setdefault(path, []).append(facts)
    rows = []
    for path, known in said.items():
        if len(set(known)) > 1:
            skipped["rows that contradict each other"] += len(known)
        else:
            skipped["row that repeats another"] += len(known) - 1
            rows.append((path, *known[0]))
    others = [p for p in _images(root, root, Counter()) if p.resolve() not in named]
    skipped["image file without a row"] += len(others)
    skipped += Counter()  # drops reasons that were met zero times
    return rows
