"""RAF-DB: photographs in the wild with basic or compound expressions.

Layout: ``basic/EmoLabel/list_patition_label.txt`` (so spelled) with lines such as
``train_00001.jpg 5``, and ``basic/Image/aligned/train_00001_aligned.jpg``; the same
below ``compound``. The beginning of the file name is the official split. Or class
folders below ``train`` and ``test``, named by the numbers of the list or by words.
"""

from collections import defaultdict
from pathlib import Path, PurePosixPath

from fersep.data import folder, names
from fersep.data.cards import COMPOUND_CLASSES, WORDS
from fersep.data.files import Files, no_file_reason
from fersep.data.rows import Said, merge_rows, read_lines, skip
from fersep.data.types import DataError, Listing, Photo, Skipped

#: Label in the file -> class, for each half of the data set.
CODES = {
    "raf_db_basic": {1: "SU", 2: "FE", 3: "DI", 4: "HA", 5: "SA", 6: "AN", 7: "NE"},
    "raf_db_compound": dict(enumerate(COMPOUND_CLASSES, start=1)),
}

SPLITS = ("train", "test")
LABELS = "EmoLabel/list_patition_label.txt"


def list_images(name: str, root: Path) -> Listing:
    """Read the label file: which aligned images are used, with label and split."""
    half = name.removeprefix("raf_db_")
    home = _find_half(half, root)
    if home is None:
        return folder.list_known(name, root, CODES[name], {})
    skipped: Skipped = defaultdict(list)
    advice = "unpack the aligned images of RAF-DB there"
    files = Files(home / "Image" / "aligned", root, skipped, advice=advice)
    photos = [
        Photo(files.paths[image], code, split=split)
        for image, (code, split) in _match(home, half, files, skipped).items()
    ]
    skipped["image file without a line"] += [f"aligned/{i}" for i in files.not_found()]
    return Listing(
        photos,
        skipped,
        f"{home / LABELS} has no usable line",
        "a line reads train_00001.jpg 5, and its image is "
        "Image/aligned/train_00001_aligned.jpg",
        tuple(WORDS[half]),
    )


def _match(
    home: Path, half: str, files: Files, skipped: Skipped
) -> dict[str, tuple[str, str]]:
    """Return class and split of each image that the label file names."""
    codes, labels = CODES[f"raf_db_{half}"], []
    said: Said[str, tuple[str, str]] = defaultdict(list)
    for number, line in enumerate(read_lines(home / LABELS), start=1):
        row = f"line {number}: {line.strip()}"
        words = line.split()
        no_line = "line that is not a file name, a space and a label"
        if not words or skip(skipped, row, {no_line: len(words) != 2}):
            continue
        path, code = PurePosixPath(words[0]), names.code_of(words[1], codes, half)
        labels.append(words[1])
        split = path.name.partition("_")[0].lower()
        image = files.find(str(path.parent / f"{path.stem}_aligned{path.suffix}"))
        reasons = {
            "unknown label": not code,
            "name that begins with neither train_ nor test_": split not in SPLITS,
            no_file_reason(words[0]): not image,
        }
        if not skip(skipped, row, reasons):
            said[image].append((row, (code, split)))
    names.raise_if_shifted(f"raf_db_{half}", labels, codes, ())
    return merge_rows(said, skipped)


def _find_half(half: str, root: Path) -> Path | None:
    """Return the folder of a half with its list; None if there are class folders."""
    places = [root / half, root / f"raf-{half}"]
    # Both halves look alike: the folder of the other one would be read without a word.
    if not any(other in root.name.lower() for other in {"basic", "compound"} - {half}):
        places.append(root)
    for place in places:
        if (place / LABELS).is_file():
            return place
    if any((root / each / "train").is_dir() for each in ("", "DATASET")):
        return None
    raise DataError(
        f"{root / half / LABELS} is missing; give the folder of RAF-DB that holds "
        f"{half}/EmoLabel and {half}/Image/aligned, or class folders in train and test"
    )
