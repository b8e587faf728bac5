"""The layouts of the data sets, written on a small scale with drawn pictures.

Each builder writes a folder as it is unpacked, its quirks included, and says in a
`Layout` where everything stands, so that a test can break it on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from fersep.data import COMPOUND_CLASSES

#: As each data set writes it: native label -> class.
RAF_BASIC = dict(
    zip("1234567", ("SU", "FE", "DI", "HA", "SA", "AN", "NE"), strict=True)
)
RAF_COMPOUND = {str(i): code for i, code in enumerate(COMPOUND_CLASSES, start=1)}
AFFECTNET = dict(
    zip("0123456", ("NE", "HA", "SA", "SU", "FE", "DI", "AN"), strict=True)
)
FER2013 = dict(zip("0123456", ("AN", "DI", "FE", "HA", "SA", "SU", "NE"), strict=True))
WORDS = {
    "neutral": "NE",
    "happiness": "HA",
    "sadness": "SA",
    "surprise": "SU",
    "fear": "FE",
    "anger": "AN",
    "disgust": "DI",
}


@dataclass
class Layout:
    """A written data set.

    Attributes
    ----------
    name, root
        For `fersep.data.load`.
    table : Path or None
        The file with the labels, if there is one for all images.
    rows : list of str
        Its lines.
    header : bool
        Whether the first line names the columns.
    sep : str
        Between its cells.
    photos : list of Path
        Image files, in the order of the rows below the header.
    labels : list of str
        Native label of each image.
    codes : dict of str to str
        Native label -> class.
    splits : list of str
        Given split of each image; empty if the library makes them.
    expected : dict of str to list of str
        What is left out of the unbroken folder.
    """

    name: str
    root: Path
    codes: dict[str, str]
    table: Path | None = None
    rows: list[str] = field(default_factory=list)
    header: bool = False
    sep: str = ","
    photos: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    expected: dict[str, list[str]] = field(default_factory=dict)

    def write(self, end: str = "\n") -> None:
        """Write the table anew."""
        assert self.table
        self.table.parent.mkdir(parents=True, exist_ok=True)
        # As in the real label file, the last line does not end.
        self.table.write_bytes(end.join(self.rows).encode())

    @property
    def first(self) -> int:
        """The first row below the header."""
        return int(self.header)


def picture(seed: int, side: int = 32) -> Image.Image:
    """Return a picture like no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def draw(path: Path, seed: int, side: int = 32) -> Path:
    """Write a picture like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, side).save(path, quality=95)
    return path


def plan(codes: dict[str, str], train: int = 3, test: int = 1) -> list[tuple[str, str]]:
    """Return (label, split) of images, so many of each class."""
    numbers = {"train": train, "test": test}
    return [
        (label, split)
        for split, n in numbers.items()
        for _ in range(n)
        for label in codes
    ]


def _raf_db(name: str, root: Path, codes: dict[str, str]) -> Layout:
    home = root / name.removeprefix("raf_db_")
    layout = Layout(name, root, codes, home / "EmoLabel" / "list_patition_label.txt")
    layout.sep = " "
    for i, (label, split) in enumerate(plan(codes)):
        stem = f"train_{i:05d}" if split == "train" else f"test_{i:04d}"
        photo = home / "Image" / "aligned" / f"{stem}_aligned.jpg"
        layout.photos.append(draw(photo, i))
        layout.rows.append(f"{stem}.jpg {label}")
        layout.labels.append(label)
        layout.splits.append(split)
    (home / "Image" / "original").mkdir()
    draw(home / "Image" / "original" / "train_00000.jpg", 0)
    layout.write()
    return layout


def raf_db_basic(root: Path) -> Layout:
    """``basic/EmoLabel`` and ``basic/Image/aligned``."""
    return _raf_db("raf_db_basic", root, RAF_BASIC)


def raf_db_compound(root: Path) -> Layout:
    """``compound/EmoLabel`` and ``compound/Image/aligned``."""
    return _raf_db("raf_db_compound", root, RAF_COMPOUND)


AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def affectnet(root: Path) -> Layout:
    """The first release: whole photographs and boxes; no header in validation.csv."""
    lists = root / "Manually_Annotated_file_lists"
    folder = root / "Manually_Annotated" / "Manually_Annotated_Images"
    layout = Layout("affectnet", root, AFFECTNET, lists / "training.csv", header=True)
    layout.rows = [AFFECTNET_HEADER]
    validation = []
    for i, (label, split) in enumerate(plan(AFFECTNET)):
        name = f"{i % 3}/{i:032x}.jpg"
        layout.photos.append(draw(folder / name, i, side=48))
        landmarks = ";".join(["12.5;20.25"] * 68)
        row = f"{name},4,6,40,38,{landmarks},{label},-0.25,0.5"
        (layout.rows if split == "train" else validation).append(row)
        layout.labels.append(label)
        layout.splits.append(split)
    for i, label in enumerate(("7", "8", "9", "10")):
        name = f"7/{i}.jpg"
        draw(folder / name, 900 + i, side=48)
        box = "-1,-1,-1,-1" if label == "10" else "4,6,40,38"
        layout.rows.append(f"{name},{box},,{label},-2,-2")
    draw(folder / "7/noface.jpg", 950, side=48)
    layout.rows.append("7/noface.jpg,-1,-1,-1,-1,,1,-2,-2")
    lists.mkdir(parents=True)
    (lists / "validation.csv").write_bytes("\r\n".join(validation).encode())
    layout.write()
    start = len(layout.rows) - 4
    layout.expected = {
        "contempt, not one of the paper's classes": [
            f"training.csv line {start}: 7/0.jpg, 7"
        ],
        "labeled as no expression": [f"training.csv line {start + 1}: 7/1.jpg, 8"],
        "labeled as uncertain": [f"training.csv line {start + 2}: 7/2.jpg, 9"],
        "labeled as no face": [f"training.csv line {start + 3}: 7/3.jpg, 10"],
        "row without the box of a face": [
            f"training.csv line {start + 4}: 7/noface.jpg, 1"
        ],
    }
    return layout


def affectnet_newer(root: Path) -> Layout:
    """The newer release: cut faces and one small file for each annotation."""
    layout = Layout("affectnet", root, AFFECTNET)
    for i, (label, split) in enumerate(plan(AFFECTNET)):
        home = root / ("train_set" if split == "train" else "val_set")
        layout.photos.append(draw(home / "images" / f"{i}.jpg", i))
        layout.labels.append(label)
        layout.splits.append(split)
        notes = home / "annotations"
        notes.mkdir(exist_ok=True)
        np.save(notes / f"{i}_exp.npy", np.array(label))
        np.save(notes / f"{i}_val.npy", np.array("-0.25"))
    draw(root / "val_set" / "images" / "7777.jpg", 777)
    np.save(root / "val_set" / "annotations" / "7777_exp.npy", np.array("7"))
    layout.expected = {
        "contempt, not one of the paper's classes": ["val_set/images/7777.jpg"]
    }
    return layout


USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}


def fer2013_pixels(seed: int) -> np.ndarray:
    """Return the picture that row ``seed`` holds."""
    return np.asarray(picture(seed, 48).convert("L"))


def fer2013(root: Path) -> Layout:
    """``fer2013.csv``."""
    layout = Layout("fer2013", root, FER2013, root / "fer2013.csv", header=True)
    layout.rows = ["emotion,pixels,Usage"]
    numbers = {"Training": 3, "PublicTest": 1, "PrivateTest": 1}
    for usage, n in numbers.items():
        for label in list(FER2013) * n:
            pixels = " ".join(map(str, fer2013_pixels(len(layout.rows)).ravel()))
            layout.rows.append(f"{label},{pixels},{usage}")
            layout.labels.append(label)
            layout.splits.append(USAGES[usage])
    layout.write()
    return layout


def fer2013_icml(root: Path) -> Layout:
    """``icml_face_data.csv``, whose columns stand otherwise and begin with a space."""
    layout = fer2013(root / "fer2013")
    layout.root = root
    cells = [row.split(",") for row in layout.rows[1:]]
    layout.rows = ["emotion, Usage, pixels", *(f"{e},{u},{p}" for e, p, u in cells)]
    (root / "fer2013" / "fer2013.csv").unlink()
    layout.table = root / "fer2013" / "icml_face_data.csv"
    layout.write()
    return layout


def facial_expressions(root: Path) -> Layout:
    """``images`` and ``data/legend.csv``; two pictures of each person."""
    layout = Layout(
        "facial_expressions", root, WORDS, root / "data" / "legend.csv", header=True
    )
    layout.rows = ["user.id,image,emotion"]
    for i in range(42):
        label = list(WORDS)[i // 2 % 7]
        name = f"Person_{chr(65 + i // 2)}x_{i % 2 + 1:04d}.jpg"
        layout.photos.append(draw(root / "images" / name, i))
        layout.rows.append(f"628,{name},{label}")
        layout.labels.append(label)
    layout.write()
    return layout


def folder_classes(root: Path) -> Layout:
    """``<class>/…``; two pictures of each person."""
    layout = Layout("folder", root, WORDS)
    for i in range(42):
        label = list(WORDS)[i // 2 % 7]
        name = f"Person_{chr(65 + i // 2)}x_{i % 2 + 1:04d}.jpg"
        layout.photos.append(draw(root / label / name, i))
        layout.labels.append(label)
    return layout


def folder_table(root: Path) -> Layout:
    """``faces.csv`` with path, label, split and person."""
    layout = Layout("folder", root, WORDS, root / "faces.csv", header=True)
    layout.rows = ["path,label,split,person"]
    for i, (label, split) in enumerate(plan(WORDS)):
        layout.photos.append(draw(root / "shots" / f"{i:03d}.jpg", i))
        layout.rows.append(f"shots/{i:03d}.jpg,{label},{split},{split} person {i // 2}")
        layout.labels.append(label)
        layout.splits.append(split)
    layout.write()
    return layout


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "raf_db_basic": raf_db_basic,
    "raf_db_compound": raf_db_compound,
    "affectnet": affectnet,
    "affectnet, newer": affectnet_newer,
    "fer2013": fer2013,
    "fer2013, icml": fer2013_icml,
    "facial_expressions": facial_expressions,
    "folder, classes": folder_classes,
    "folder, table": folder_table,
}
