"""Anyone's own faces: class folders, with or without splits, or a table.

Three layouts: ``root/{train,validation,test}/<class>/*``; ``root/<class>/*``, which is
split here; ``root/faces.csv`` with the columns path, label and, if known, split and
person. Folders around them, and the usual other names, are understood.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from fersep.data import names
from fersep.data.cards import BASIC_CLASSES, WORDS
from fersep.data.files import SUFFIXES, Files, below, leaves
from fersep.data.rows import Said, merge_rows, read_code, read_rows, skip
from fersep.data.types import SPLITS, DataError, Listing, Photo, Skipped

TABLE = "faces.csv"
LAYOUTS = f"root/train/<class>/…, root/<class>/… or root/{TABLE}"


def list_images(name: str, root: Path) -> Listing:
    """Find the images of a folder and what is known of each."""
    skipped: Skipped = defaultdict(list)
    list_photos = _list_table if (root / TABLE).is_file() else list_folders
    photos, of_splits = settle_splits(root, list_photos(root, skipped))
    classes, codes, of_classes = names.name_classes({photo.code for photo in photos})
    photos, of_people = names.tell_people(
        [photo._replace(code=codes[photo.code]) for photo in photos]
    )
    nothing = f"{root} holds no image in one of the layouts {LAYOUTS}"
    advice = f"put each image into a folder of its class, or name it in {TABLE} by its "
    advice += f"path from the root on; it ends in {', '.join(sorted(SUFFIXES))}"
    notes = tuple(filter(None, (of_splits, of_classes, of_people)))
    return Listing(photos, skipped, nothing, advice, classes, notes=notes)


def list_known(
    name: str, root: Path, codes: Mapping[int, str], unused: Mapping[int, str]
) -> Listing:
    """Find the images of a data set that somebody has sorted into class folders.

    They stand below folders for the splits, or file names tell these. They have the
    data set's own numbers, ``codes`` and, for what is left out with a reason,
    ``unused``; or words.
    """
    skipped: Skipped = defaultdict(list)
    photos, of_splits = settle_splits(root, list_folders(root, skipped))
    if not all(photo.split for photo in photos):
        photos = []  # without its official splits it is no copy of the data set
    kind = "basic" if set(codes.values()) <= {*BASIC_CLASSES} else "compound"
    names.raise_if_shifted(name, [photo.code for photo in photos], codes, unused)
    used = []
    for photo in photos:
        reason = unused.get(read_code(photo.code), "")
        if names.is_contempt(photo.code):
            reason = "contempt, not one of the paper's classes"
        code = names.code_of(photo.code, codes, kind)
        reasons = {reason: bool(reason), "unknown label": not code}
        if not skip(skipped, below(root, photo.path), reasons):
            used.append(photo._replace(code=code))
    if not used and photos:
        found = ", ".join(sorted({photo.code for photo in photos})[:8])
        raise DataError(
            f"the class folders of {root} are {found}, which are not those of {name}; "
            "name them by its numbers or by usual words, such as happy"
        )
    nothing = f"{root} has no class folders of {name} below train and test"
    advice = "put each image into the folder of its class: its number, or a word"
    strange = skipped["unknown label"]
    of_labels = f"{len(strange)} images in class folders that {name} does not have are "
    of_labels += f"left out, the first of them {strange[0]}" if strange else ""
    notes = tuple(filter(None, (of_splits, of_labels if strange else "")))
    return Listing(used, skipped, nothing, advice, tuple(WORDS[kind]), notes=notes)


def list_folders(root: Path, skipped: Skipped) -> list[Photo]:
    """Find the images below class folders: their class, in its own words, and split."""
    files = Files(root, root, skipped)
    _refuse_yolo(root, files, skipped)
    places = {name: name.split("/")[:-1] for name in files.paths}
    _drop_common(places)
    splits = _take_splits(root, places)
    _drop_common(places)
    _refuse_unknown_parts(root, places)
    people = _people_below(places)
    photos = []
    for name, path in files.paths.items():
        outside = {"image outside the class folders": not places[name]}
        if not skip(skipped, name, outside):
            label, *inside = places[name]
            who = people.get(inside[0], "") if inside else ""
            photos.append(Photo(path, label, who, splits[name]))
    return photos


def _drop_common(places: dict[str, list[str]]) -> None:
    """Leave out folders that hold all others, unless they name a class or a split."""
    while deep := [place for place in places.values() if place]:
        first = {place[0] for place in deep}
        if len(first) > 1 or min(map(len, deep)) < 2:
            return
        if names.class_of(deep[0][0]) or names.split_of(deep[0][0]):
            return
        for place in deep:
            del place[0]


def _take_splits(root: Path, places: dict[str, list[str]]) -> dict[str, str]:
    """Take the folder that names a split out of each place, if one does."""
    found = {
        name: next((i for i, part in enumerate(place[:3]) if names.split_of(part)), -1)
        for name, place in places.items()
        if place
    }
    outer = 0 in found.values()
    if outer and (other := next((n for n, i in found.items() if i != 0), "")):
        raise DataError(
            f"{root} mixes split folders with the folder {places[other][0]}; name it "
            f"{', '.join(SPLITS)}, or move it away"
        )
    whole = outer or -1 not in found.values()
    return {
        name: names.split_of(place.pop(found[name])) if whole and place else ""
        for name, place in places.items()
    }


def _refuse_unknown_parts(root: Path, places: dict[str, list[str]]) -> None:
    """Raise where the folders taken for classes look like parts of the set."""
    inner: dict[str, set[str]] = defaultdict(set)
    for place in filter(None, places.values()):
        inner[place[0]].add(place[1] if len(place) > 1 else "")
    parts = [folders - {""} for folders in inner.values()]
    if len(inner) < 2 or any(map(names.class_of, inner)):
        return
    same = all(len(p) > 1 and p == parts[0] for p in parts)
    if same or all(sum(map(bool, map(names.class_of, p))) > 1 for p in parts):
        raise DataError(
            f"the folders {', '.join(sorted(inner)[:3])} of {root} all hold folders "
            f"like {', '.join(sorted(parts[0])[:3])}: they look like splits, parts or "
            "people, not like classes; name splits train, validation and test, or list "
            f"the images in {TABLE}"
        )


def _people_below(places: dict[str, list[str]]) -> dict[str, str]:
    """Return the folders that at least five of a kind stand below several classes."""
    owners: dict[str, set[str]] = defaultdict(set)
    for place in places.values():
        if len(place) > 1:
            owners[place[1]].add(place[0])
    shared = [folder for folder, classes in owners.items() if len(classes) > 1]
    return {folder: folder.lower() for folder in shared} if len(shared) > 4 else {}


def _refuse_yolo(root: Path, files: Files, skipped: Skipped) -> None:
    notes = skipped["file that is no image"]
    boxes = any(n.endswith(".txt") and "labels" in n.split("/")[:-1] for n in notes)
    if boxes and any("images" in name.split("/")[:-1] for name in files.paths):
        raise DataError(
            f"{root} has folders images and labels with boxes, the form of YOLO, which "
            "is not read; cut the faces out and put them into class folders, or list "
            f"them in {TABLE}"
        )


def settle_splits(root: Path, photos: list[Photo]) -> tuple[list[Photo], str]:
    """Return the photographs with the splits that will be used, and what to say of it.

    File names such as ``PublicTest_12.jpg`` tell a split where no folder does, and
    validation inside a test folder. Without test images, those for validation are them.
    """
    photos = _split_by_name(photos)
    splits = {photo.split: photo.path for photo in reversed(photos)}
    if len(splits) > 1 and "" in splits:
        raise DataError(
            f"some images have a split but {splits[''].relative_to(root)} has none; "
            "name it for all or for none"
        )
    if set(splits) == {"train"}:
        said = "there are training images alone, so all splits are made here"
        return [photo._replace(split="") for photo in photos], said
    if splits and not {"", "train"} & set(splits):
        raise DataError(
            f"{root} names splits but has no train image; add some, or leave the "
            "splits out and they are made here, person by person"
        )
    if set(splits) == {"train", "validation"}:
        said = "there are no test images, so the validation images are the test, and "
        said += "validation images come out of train"
        swap = {"train": "train", "validation": "test"}
        return [photo._replace(split=swap[photo.split]) for photo in photos], said
    return photos, ""


def _split_by_name(photos: list[Photo]) -> list[Photo]:
    plain = not any(photo.split for photo in photos)
    told = {
        i: names.split_of_file(photo.path.name)
        for i, photo in enumerate(photos)
        if plain or photo.split == "test"
    }
    wanted = {"train" if plain else "validation", "test"}
    if "" in told.values() or not wanted <= set(told.values()):
        return photos
    return [p._replace(split=told.get(i, p.split)) for i, p in enumerate(photos)]


def _list_table(root: Path, skipped: Skipped) -> list[Photo]:
    table = root / TABLE
    files = Files(root, root, skipped)
    skipped["file that is no image"].remove(TABLE)
    said: Said[str, tuple[str, str, str]] = defaultdict(list)
    for number, row in read_rows(table, ("path", "label")):
        split = names.split_of(row["split"])
        path = row["path"].removeprefix(f"{root.absolute()}/")
        if leaves(path):
            raise DataError(
                f"line {number} of {table} names {path}, which lies outside the "
                "folder; move the image into it"
            )
        if row["split"] and not split:
            raise DataError(
                f"line {number} of {table} has the split {row['split']!r}; use "
                f"{', '.join(SPLITS)}"
            )
        line = f"line {number}: {row['path']}"
        name = files.find(path)
        reasons = {
            "row without a label": not row["label"],
            "row without an image file": not name,
        }
        if not skip(skipped, line, reasons):
            said[name].append((line, (row["label"], row["person"].lower(), split)))
    known = merge_rows(said, skipped)
    skipped["image file without a row"] += files.not_found()
    return [Photo(files.paths[name], *facts) for name, facts in known.items()]
