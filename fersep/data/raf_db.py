"""RAF-DB: photographs in the wild with basic or compound expressions.

Layout: ``basic/EmoLabel/list_patition_label.txt`` (so spelled) with lines such as
``train_00001.jpg 5``, and ``basic/Image/aligned/train_00001_aligned.jpg``; the same
below ``compound``. The beginning of the file name is the official split.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from fersep.data.classes import BASIC_CLASSES, COMPOUND_CLASSES, counts
from fersep.data.files import (
    Files,
    merge_rows,
    no_file_reason,
    read_lines,
    say_skipped,
)
from fersep.data.types import Card, Counts, DataError, Listing, Skipped

#: Label in the file -> class, for each half of the data set.
CODES = {
    "raf_db_basic": {1: "SU", 2: "FE", 3: "DI", 4: "HA", 5: "SA", 6: "AN", 7: "NE"},
    "raf_db_compound": dict(enumerate(COMPOUND_CLASSES, start=1)),
}
CLASSES = {"raf_db_basic": BASIC_CLASSES, "raf_db_compound": COMPOUND_CLASSES}

#: The paper's own counts: 12,271 and 3,068 basic, 3,162 and 792 compound images.
PUBLISHED: dict[str, Counts] = {
    "raf_db_basic": counts(
        BASIC_CLASSES,
        train=(2524, 4772, 1982, 1290, 281, 705, 717),
        test=(680, 1185, 478, 329, 74, 162, 160),
    ),
    "raf_db_compound": counts(
        COMPOUND_CLASSES,
        train=(562, 219, 107, 130, 68, 597, 117, 444, 138, 667, 113),
        test=(135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35),
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
    redistributable=False,
    citation="Li, Deng and Du, Reliable crowdsourcing and deep locality-preserving "
    "learning for expression recognition in the wild, CVPR 2017",
)

LABELS = "EmoLabel/list_patition_label.txt"


def list_images(name: str, root: Path) -> Listing:
    """Read the label file: which aligned images are used, with label and split.

    Raises
    ------
    DataError
        If the label file or the aligned images are missing or no line is usable.
    """
    home = _home(name, root)
    table = home / LABELS
    folder = home / "Image" / "aligned"
    if not folder.is_dir():
        raise DataError(
            f"{folder} is missing; unpack the aligned images of RAF-DB there"
        )
    skipped: Skipped = defaultdict(list)
    files = Files(folder, root, skipped)
    codes = CODES[name]
    said: dict[str, list[tuple[str, tuple[str, str]]]] = {}
    named: set[str] = set()
    for number, line in enumerate(read_lines(table), start=1):
        row = f"line {number}: {line}"
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            skipped["line that is not a file name, a space and a label"].append(row)
            continue
        path = PurePosixPath(words[0])
        image = files.find(str(path.with_name(f"{path.stem}_aligned{path.suffix}")))
        named.add(image or "")
        split = path.name.partition("_")[0].lower()
        if not words[1].isdigit() or int(words[1]) not in codes:
            skipped["unknown label"].append(row)
        elif split not in ("train", "test"):
            skipped["name that begins with neither train_ nor test_"].append(row)
        elif not image:
            skipped[no_file_reason(words[0])].append(row)
        else:
            said.setdefault(image, []).append((row, (split, codes[int(words[1])])))
    known = merge_rows(said, skipped)
    others = [f"{folder.name}/{image}" for image in files.paths if image not in named]
    skipped["image file without a line"].extend(others)
    if not known:
        raise DataError(
            f"{table} has no usable line{say_skipped(skipped)}; a line reads "
            "train_00001.jpg 5, and its image is Image/aligned/train_00001_aligned.jpg"
        )
    return Listing(
        [files.paths[image] for image in known],
        [CLASSES[name].index(code) for _, code in known.values()],
        list(known),
        [split for split, _ in known.values()],
        CLASSES[name],
        skipped,
        PUBLISHED[name],
    )


def _home(name: str, root: Path) -> Path:
    half = name.removeprefix("raf_db_")
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
