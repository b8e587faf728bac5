"""Other readings of FER2013's test images: the votes of FER+, and copies among splits.

    python experiments/readings.py FOLDER

FOLDER holds fer2013.csv and fer2013new.csv, row by row the same images. Writes
results/fer2013-readings.npz with, in the order of the runs' test images, ``labels``
(n,), ``votes`` (n, 10) in the order of `fersep.data.ferplus.COLUMNS`, and ``copied``
(n,): the same pixels also stand in another split. No image is kept.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from fersep.data import BASIC_CLASSES
from fersep.data.fer2013 import CODES
from fersep.storage import whole_file


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """Return labels, votes and copies of the images of PrivateTest."""
    csv.field_size_limit(1 << 20)
    with open(folder / "fer2013.csv", newline="") as images:
        rows = [(r["emotion"], r["pixels"], r["Usage"]) for r in csv.DictReader(images)]
    with open(folder / "fer2013new.csv", newline="") as votes:
        next(votes)
        counts = [[int(n) for n in row[2:]] for row in csv.reader(votes)]
    if len(rows) != len(counts):
        raise ValueError(f"{folder}: fer2013.csv and fer2013new.csv differ in length")
    classes = {n: BASIC_CLASSES.index(code) for n, code in CODES.items()}
    test = np.array([i for i, row in enumerate(rows) if row[2] == "PrivateTest"])
    # `fersep.data.load` shuffles each split like this where its seed is 0.
    test = test[np.random.default_rng(1).permutation(len(test))].tolist()
    others = {pixels for _, pixels, usage in rows if usage != "PrivateTest"}
    return {
        "labels": np.array([classes[int(rows[i][0])] for i in test], "u1"),
        "votes": np.array([counts[i] for i in test], "u1"),
        "copied": np.array([rows[i][1] in others for i in test]),
    }


if __name__ == "__main__":
    found = read_folder(Path(sys.argv[1]))
    place = Path(__file__).parents[1] / "results" / "fer2013-readings.npz"
    with whole_file(place) as part, part.open("wb") as file:
        np.savez_compressed(file, **found)
    print(f"{len(found['labels'])} images, {found['copied'].sum()} copied; {place}")
