"""Anyone's own faces: class folders, with or without splits, or a table.

Three layouts: ``root/{train,validation,test}/<class>/*``; ``root/<class>/*``, which is
split here; ``root/faces.csv`` with the columns path, label and, if known, split and
person.
"""

import re
from collections import defaultdict
from pathlib import Path

from fersep.data.cards import WORDS
from fersep.data.files import SUFFIXES, Files, leaves
from fersep.data.rows import Said, merge_rows, read_rows, skip
from fersep.data.types import SPLITS, DataError, Listing, Photo, Skipped

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

TABLE = "faces.csv"
LAYOUTS = f"root/train/<class>/…, root/<class>/… or root/{TABLE}"


def list_images(name: str, root: Path) -> Listing:
    """Find the images of a folder and what is known of each."""
    skipped: Skipped = defaultdict(list)
    list_photos = _list_table if (root / TABLE).is_file() else _list_folders
    photos = list_photos(root, skipped)
    splits = {photo.split: photo.path for photo in reversed(photos)}
    if len(splits) > 1 and "" in splits:
        raise DataError(
            f"some images have a split but {splits[''].relative_to(root)} has none; "
            "name it for all or for none"
        )
    for needed in ("train", "test"):
        if splits and not {"", needed} & splits.keys():
            raise DataError(
                f"{root} names splits but has no {needed} image; add some, or leave "
                "the splits out and they are made here, person by person"
            )
    classes, codes = name_classes(sorted({photo.code for photo in photos}))
    photos = [photo._replace(code=codes[photo.code]) for photo in photos]
    nothing = f"{root} holds no image in one of the layouts {LAYOUTS}"
    advice = f"an image ends in {', '.join(sorted(SUFFIXES))}"
    return Listing(photos, skipped, nothing, advice, classes)


def name_classes(labels: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the class names, and the class of each label found.

    The paper's codes and English names are known, and stand in the paper's order; if
    any label is neither, the labels themselves are the classes, in alphabetical order.
    """
    plain = {label: re.sub(r"[\s_-]+", " ", label).lower() for label in labels}
    for words in WORDS.values():
        known = {word: c for c in words for word in (c.lower(), *words[c])}
        if all(word in known for word in plain.values()):
            return tuple(words), {label: known[word] for label, word in plain.items()}
    return tuple(labels), {label: label for label in labels}


def person(path: Path) -> str:
    """Return the person a file name tells of, as in ``Ada_Lovelace_0003.jpg``.

    Two words at least must stand before the number: ``img_0003`` names nobody.
    """
    found = re.fullmatch(r"([^\W\d]+(?:[ _-][^\W\d]+)+)[ _-]\d+", path.stem)
    return found[1].lower() if found else str(path).lower()


def _list_folders(root: Path, skipped: Skipped) -> list[Photo]:
    below = [p for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."]
    places = {
        p: SPLIT_WORDS[p.name.lower()] for p in below if p.name.lower() in SPLIT_WORDS
    }
    if places and len(places) < len(below):
        other = next(p.name for p in below if p not in places)
        raise DataError(
            f"{root} mixes split folders with the folder {other}; use one of the "
            f"layouts {LAYOUTS}"
        )
    if places and "train" not in places.values():
        raise DataError(f"{root} has split folders but no train folder; add one")
    photos = []
    for place in dict.fromkeys([root, *places]):
        stray = [p for p in place.iterdir() if p.suffix.lower() in SUFFIXES]
        skipped["image outside the class folders"] += [
            str(p.relative_to(root)) for p in sorted(stray) if not p.is_dir()
        ]
    for place, split in (places or {root: ""}).items():
        for name, path in Files(place, root, skipped).paths.items():
            label, inside, _ = name.partition("/")
            if inside:
                who = person(path.relative_to(root))
                photos.append(Photo(path, label, who, split))
    return photos


def _list_table(root: Path, skipped: Skipped) -> list[Photo]:
    table = root / TABLE
    files = Files(root, root, skipped)
    skipped["file that is no image"].remove(TABLE)
    said: Said[str, tuple[str, str, str]] = defaultdict(list)
    for number, row in read_rows(table, ("path", "label")):
        split = row["split"].lower()
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
        line = f"line {number}: {row['path']}"
        name = files.find(row["path"])
        reasons = {
            "row without a label": not row["label"],
            "row without an image file": not name,
        }
        if not skip(skipped, line, reasons):
            who = row["person"].lower() or person(Path(row["path"]))
            facts = (row["label"], who, SPLIT_WORDS.get(split, ""))
            said[name].append((line, facts))
    known = merge_rows(said, skipped)
    skipped["image file without a row"] += files.not_found()
    return [Photo(files.paths[name], *facts) for name, facts in known.items()]
