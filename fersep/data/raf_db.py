"""RAF-DB: photographs in the wild with basic or compound expressions.

Layout: ``basic/EmoLabel/list_patition_label.txt`` (so spelled) with lines such as
``train_00001.jpg 5``, and ``basic/Image/aligned/train_00001_aligned.jpg``; the same
below ``compound``. The beginning of the file name is the official split.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from fersep.data.classes import (
    BASIC_CLASSES,
    COMPOUND_CLASSES,
    RAF_DB_BASIC,
    RAF_DB_COMPOUND,
    counts,
)
from fersep.data.files import Files, merge_rows, no_file_reason, read_lines
from fersep.data.rows import make_listing, read_code, skip
from fersep.data.types import Card, Counts, DataError, Listing, Photo, Skipped

#: Label in the file -> class, for each half of the data set.
CODES = {
    "raf_db_basic": {1: "SU", 2: "FE", 3: "DI", 4: "HA", 5: "SA", 6: "AN", 7: "NE"},
    "raf_db_compound": dict(enumerate(COMPOUND_CLASSES, start=1)),
}

#: The paper's own counts: 12,271 and 3,068 basic, 3,162 and 792 compound images.
PUBLISHED: dict[str, Counts] = {
    "raf_db_basic": counts(BASIC_CLASSES, train=RAF_DB_BASIC[0], test=RAF_DB_BASIC[1]),
    "raf_db_compound": counts(
        COMPOUND_CLASSES, train=RAF_DB_COMPOUND[0], test=RAF_DB_COMPOUND[1]
    ),
}

CARD = Card(
    name="RAF-DB",
    source="whdeng.cn/RAF/model1.html, Beijing University of Posts and "
    "Telecommunications",
    people="Thousands of people on photographs from the web, of all ages; who they are "
    "is not told.",
    consent="None is documented: the photographs were collected from the web.",
    license="For non-commercial research only, not to be passed on; asked for by "
    "e-mail from a university address, then sent with a password",
    labels="What about forty people saw on each face: one expression (basic) or two "
    "at once (compound). It is the impression of the majority, not what a person felt.",
    biases="Happy faces are nearly two fifths, fearful ones one in forty; what search "
    "engines find for words of emotion.",
    citation="Li, Deng and Du, Reliable crowdsourcing and deep locality-preserving "
    "learning for expression recognition in the wild, CVPR 2017",
)

SPLITS = ("train", "test")
LABELS = "EmoLabel/list_patition_label.txt"


def list_images(name: str, root: Path) -> Listing:
    """Read the label file: which aligned images are used, with label and split.

    Raises
    ------
    DataError
        If the label file or the aligned images are missing or no line is usable.
    """
    half = name.removeprefix("raf_db_")
    home = _find_half(half, root)
    skipped: Skipped = defaultdict(list)
    advice = "unpack the aligned images of RAF-DB there"
    files = Files(home / "Image" / "aligned", root, skipped, advice=advice)
    photos = [
        Photo(files.paths[image], code, image, split)
        for image, (code, split) in _match(home, CODES[name], files, skipped).items()
    ]
    others = [f"aligned/{image}" for image in files.not_found()]
    skipped["image file without a line"].extend(others)
    return make_listing(
        photos,
        COMPOUND_CLASSES if half == "compound" else BASIC_CLASSES,
        skipped,
        PUBLISHED[name],
        nothing=f"{home / LABELS} has no usable line",
        advice="a line reads train_00001.jpg 5, and its image is "
        "Image/aligned/train_00001_aligned.jpg",
    )


def _match(
    home: Path, codes: dict[int, str], files: Files, skipped: Skipped
) -> dict[str, tuple[str, str]]:
    """Return class and split of each image that the label file names."""
    said: dict[str, list[tuple[str, tuple[str, str]]]] = {}
    for number, line in enumerate(read_lines(home / LABELS), start=1):
        row = f"line {number}: {line.strip()}"
        words = line.split()
        no_line = "line that is not a file name, a space and a label"
        if not words or skip(skipped, row, {no_line: len(words) != 2}):
            continue
        path, code = PurePosixPath(words[0]), read_code(words[1])
        split = path.name.partition("_")[0].lower()
        image = files.find(str(path.parent / f"{path.stem}_aligned{path.suffix}"))
        reasons = {
            "unknown label": code not in codes,
            "name that begins with neither train_ nor test_": split not in SPLITS,
            no_file_reason(words[0]): not image,
        }
        if not skip(skipped, row, reasons):
            said.setdefault(image, []).append((row, (codes[code], split)))
    return merge_rows(said, skipped)


def _find_half(half: str, root: Path) -> Path:
    places = [root / half, root / f"raf-{half}"]
    # Both halves look alike: the folder of the other one would be read without a word.
    if not any(other in root.name.lower() for other in {"basic", "compound"} - {half}):
        places.append(root)
    for place in places:
        if (place / LABELS).is_file():
            return place
    raise DataError(
        f"{root / half / LABELS} is missing; give the folder of RAF-DB that holds "
        f"{half}/EmoLabel and {half}/Image/aligned"
    )
