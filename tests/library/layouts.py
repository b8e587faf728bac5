"""The layouts of the data sets, written on a small scale with drawn pictures.

Each builder writes a folder as it is unpacked, its quirks included, and says in a
`Layout` where everything stands, so that a test can break it on purpose.
"""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersep import data
from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES


def native(labels: str, codes: str) -> dict[str, str]:
    """Return native label -> class."""
    return dict(zip(labels.split(), codes.split(), strict=True))


RAF_BASIC = native("1 2 3 4 5 6 7", "SU FE DI HA SA AN NE")
RAF_COMPOUND = native("1 2 3 4 5 6 7 8 9 10 11", " ".join(COMPOUND_CLASSES))
AFFECTNET = native("0 1 2 3 4 5 6", "NE HA SA SU FE DI AN")
FER2013 = native("0 1 2 3 4 5 6", "AN DI FE HA SA SU NE")
#: The first frame of a sequence has no label of its own: 0 here.
CK_PLUS = native("0 1 3 4 5 6 7", "NE AN DI FE HA SA SU")
MMI = native("0 1 2 3 4 5 6", "NE AN DI FE HA SA SU")
WORDS = native(
    "neutral happiness sadness surprise fear anger disgust", " ".join(BASIC_CLASSES)
)


@dataclass
class Layout:
    """A written data set; `fersep.data.load` takes its name and root."""

    name: str
    root: Path
    codes: dict[str, str]  # native label -> class
    table: Path | None = None  # the file with all labels, if there is one
    rows: list[str] = field(default_factory=list)  # its lines
    header: bool = False  # whether the first one names the columns
    sep: str = ","  # between the cells
    path_at: int = 0  # the cell with the path of an image
    label_at: int = 0  # the cell with its label
    photos: list[Path] = field(default_factory=list)  # images or videos, by row
    notes: list[Path] = field(default_factory=list)  # annotations, where not in rows
    labels: list[str] = field(default_factory=list)  # native label of each image
    splits: list[str] = field(default_factory=list)  # empty if the library makes them
    names: list[str] = field(default_factory=list)  # of each image, if not its path
    #: What is left out of the unbroken folder, by reason.
    expected: dict[str, list[str]] = field(default_factory=dict)

    def write(self, end: str = "\n") -> None:
        """Write the table anew."""
        self.table.parent.mkdir(parents=True, exist_ok=True)
        # As in the real label file, the last line does not end.
        self.table.write_bytes(end.join(self.rows).encode())

    def cell(self, at: int) -> str:
        """Return a cell of the first row below the header."""
        return self.rows[self.header].split(self.sep)[at]

    def set_cell(self, at: int, text: str) -> None:
        cells = self.rows[self.header].split(self.sep)
        cells[at] = text
        self.rows[self.header] = self.sep.join(cells)
        self.write()


@dataclass
class Lost:
    """So many images are lost; reason -> how many files or rows are named under it."""

    images: int
    reasons: dict[str, int] = field(default_factory=dict)


def outcome(made: Layout) -> Lost:
    """Return what a fault cost; a warning names what cannot be read."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = data.survey(made.name, made.root, 16)
    unreadable = found.skipped.get("unreadable image", [])
    assert len(said) == bool(unreadable)
    assert not unreadable or f"out, the first of them {unreadable[0]}; " in str(
        said[0].message
    )
    more = {
        reason: len(found.skipped.get(reason, [])) - len(made.expected.get(reason, []))
        for reason in found.skipped.keys() | made.expected
    }
    images = len(made.labels) - sum(sum(c.values()) for c in found.counts.values())
    return Lost(images, {reason: n for reason, n in more.items() if n})


def expect(made: Layout, wanted: Lost | str) -> None:
    """Check what a fault costs, or that it is one sentence that tells a way out."""
    if isinstance(wanted, Lost):
        assert outcome(made) == wanted
        return
    with pytest.raises(data.DataError, match=wanted) as caught:
        outcome(made)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value), "the sentence tells no way out"


def picture(seed: int, side: int = 32) -> Image.Image:
    """Return a picture like no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def draw(path: Path, seed: int, side: int = 32, mode: str = "RGB") -> Path:
    """Write a picture like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, side).convert(mode).save(path, quality=95)
    return path


def put(path: Path, text: str) -> Path:
    """Write a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def in_splits(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return (label, split) of three training images and one test image a class."""
    parts = ("train", "train", "train", "test")
    return [(label, split) for split in parts for label in codes]


def in_pairs(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return (label, no split) of 42 images, two of each person."""
    return [(list(codes)[i // 2 % 7], "") for i in range(42)]


def sequences(codes: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return (person, session, label): four people with the six expressions."""
    return [
        (f"S{person:03d}", f"{session:03d}", label)
        for person in range(10, 14)
        for session, label in enumerate(list(codes)[1:], start=1)
    ]


COLUMNS = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
LANDMARKS = ";".join(["12.5;20.25"] * 68)
PHOTOGRAPHS = "Manually_Annotated/Manually_Annotated_Images"
PERSON = "Person_{person}x_{shot:04d}.jpg"


def build(
    root: Path,
    name: str,
    codes: dict[str, str],
    plan: Callable[[Iterable[str]], list[tuple[str, str]]],
    photo: str,
    row: str = "",
    table: str = "",
    header: str = "",
) -> Layout:
    """Write images, and a row for each; both are named by the facts of an image."""
    made = Layout(name, root, codes, header=bool(header), sep="," if header else " ")
    made.table = root / table if table else None
    made.rows = [header] if header else []
    cells = row.split(made.sep)
    made.path_at = next((i for i, c in enumerate(cells) if c.endswith(".jpg")), 0)
    made.label_at = cells.index("{label}") if "{label}" in cells else 0
    for i, (label, split) in enumerate(plan(codes)):
        facts = {"i": i, "label": label, "split": split, "half": i // 2, "third": i % 3}
        facts["stem"] = f"{split}_{i:05d}" if split == "train" else f"{split}_{i:04d}"
        facts |= {"person": chr(65 + i // 2), "shot": i % 2 + 1}
        made.photos.append(draw(root / photo.format(**facts), i, 48))
        made.rows.append(row.format(**facts))
        made.labels.append(label)
        made.splits += [split] if split else []
    if table:
        made.write()
    return made


def raf_db(root: Path, half: str, codes: dict[str, str]) -> Layout:
    """With a photograph that is not cut."""
    draw(root / half / "Image" / "original" / "train_00000.jpg", 0)
    return build(
        root,
        f"raf_db_{half}",
        codes,
        in_splits,
        photo=half + "/Image/aligned/{stem}_aligned.jpg",
        row="{stem}.jpg {label}",
        table=f"{half}/EmoLabel/list_patition_label.txt",
    )


def affectnet(root: Path) -> Layout:
    """The first release: labels that are not used, and no header in validation.csv."""
    made = build(
        root,
        "affectnet",
        AFFECTNET,
        in_splits,
        photo=PHOTOGRAPHS + "/{third}/{i:032x}.jpg",
        row="{third}/{i:032x}.jpg,4,6,40,38," + LANDMARKS + ",{label},-0.25,0.5",
        table="Manually_Annotated_file_lists/training.csv",
        header=COLUMNS,
    )
    tests = made.splits.count("test")
    put(made.table.with_name("validation.csv"), "\r\n".join(made.rows[-tests:]))
    del made.rows[-tests:]
    reasons = {
        "7": "contempt, not one of the paper's classes",
        "8": "labeled as no expression",
        "9": "labeled as uncertain",
        "10": "labeled as no face",
        "1": "row without the box of a face",
    }
    for label, reason in reasons.items():
        draw(root / PHOTOGRAPHS / f"7/{label}.jpg", 900 + int(label), 48)
        box = "-1,-1,-1,-1" if label in ("10", "1") else "4,6,40,38"
        made.rows.append(f"7/{label}.jpg,{box},,{label},-2,-2")
        line = f"training.csv line {len(made.rows)}: 7/{label}.jpg, {label}"
        made.expected[reason] = [line]
    made.write()
    return made


def affectnet_newer(root: Path) -> Layout:
    """The newer release: cut faces and one small file for each annotation."""
    photo = "{split}_set/images/{i}.jpg"
    made = build(root, "affectnet", AFFECTNET, in_splits, photo)
    (root / "test_set").rename(root / "val_set")
    places = [str(path).replace("test_set", "val_set") for path in made.photos]
    made.rows, made.photos = [], [Path(place) for place in places]
    contempt = draw(root / "val_set" / "images" / "7777.jpg", 777)
    for image, label in zip([*made.photos, contempt], [*made.labels, "7"], strict=True):
        notes = image.parents[1] / "annotations"
        notes.mkdir(exist_ok=True)
        np.save(notes / f"{image.stem}_exp.npy", np.array(label))
        np.save(notes / f"{image.stem}_val.npy", np.array("-0.25"))
        made.notes.append(notes / f"{image.stem}_exp.npy")
    made.expected = {
        "contempt, not one of the paper's classes": ["val_set/images/7777.jpg"]
    }
    return made


def fer2013_pixels(seed: int) -> np.ndarray:
    """Return the picture that row ``seed`` holds."""
    return np.asarray(picture(seed, 48).convert("L"))


def fer2013(root: Path, file: str = "fer2013.csv", order: str = "emotion,pixels,Usage"):
    """One table, whose columns may stand otherwise and begin with a space."""
    made = Layout("fer2013", root, FER2013, root / file, [order], header=True)
    usages = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    for split in ("train", "train", "train", "validation", "test"):
        for label in FER2013:
            pixels = " ".join(map(str, fer2013_pixels(len(made.rows)).ravel()))
            cells = {"emotion": label, "pixels": pixels, "Usage": usages[split]}
            made.rows.append(",".join(cells[c.strip()] for c in order.split(",")))
            made.labels.append(label)
            made.splits.append(split)
            made.names.append(f"{made.table.name} line {len(made.rows)}")
    made.write()
    return made


def mmi_table(root: Path) -> Layout:
    """Frames taken out of the videos, and ``frames.csv``."""
    columns = "session,person,emotion,neutral,peak"
    made = Layout("mmi", root, MMI, root / "frames.csv", [columns], True)
    made.path_at, made.label_at = 3, 2
    for i, (person, session, label) in enumerate(sequences(MMI)):
        frames = [f"frames/{person}/{session}_{number}.png" for number in (1, 40)]
        made.photos += [draw(root / f, 2 * i + k) for k, f in enumerate(frames)]
        made.rows.append(f"{i},{person},{label},{frames[0]},{frames[1]}")
        made.labels += ["0", label]
    made.write()
    return made


def film(path: Path, seed: int, frames: int = 5, side: int = 32) -> Path:
    """Write a video in which each frame is brighter than the one before."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    face = np.asarray(picture(seed, side)).astype(int) // 4
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuvj420p"
        for i in range(frames):
            shade = np.uint8(face + 180 * i // max(frames - 1, 1))
            video.mux(stream.encode(av.VideoFrame.from_image(Image.fromarray(shade))))
        video.mux(stream.encode())
    return path


def mmi_session(root: Path, session: int, stem: str, tag: str, view: str = "0") -> Path:
    """Write one folder of ``Sessions``; its video is returned."""
    folder = root / "Sessions" / str(session)
    track = f'<track type="Video" filename="{stem}.avi" view="{view}"/>'
    session = f'<session sessionId="{session}">{track}</session>'
    put(folder / "session.xml", f'<?xml version="1.0"?>\n{session}')
    tags = f'<Metatag Name="{tag}"/><Metatag Name="Frames" Value="5"/>'
    note = f'<?xml version="1.0"?>\n<annotation>{tags}</annotation>'
    put(folder / f"{stem}.xml", note)
    put(folder / f"{stem}-oao_aucs.xml", "<ActionUnits/>")
    return film(folder / f"{stem}.avi", int(re.sub(r"\D", "", stem)))


def mmi_videos(root: Path) -> Layout:
    """``Sessions`` as they are given out, with other emotions and other views."""
    made = Layout("mmi", root, MMI)
    for i, (person, session, label) in enumerate(sequences(MMI)):
        tag = f'Emotion" Value="{label}'
        video = mmi_session(root, 100 + i, f"{person}-{session}", tag)
        made.photos.append(video)
        made.notes.append(video.with_suffix(".xml"))
        made.labels += ["0", label]
        where = video.relative_to(root)
        made.names += [f"{where}, {part} frame" for part in ("first", "middle")]
    for i, (tag, view, reason) in enumerate(
        (
            ('Emotion" Value="8', "0", "emotion that is none of the six basic ones"),
            ("Mood", "0", "annotation with no emotion"),
            ('Emotion" Value="4', "2", "video that is not from the front alone"),
        )
    ):
        video = mmi_session(root, 900 + i, f"S010-09{i}", tag, view)
        made.expected[reason] = [str(video.relative_to(root))]
    return made


def face_points(middle: tuple[float, float], size: float, degrees: float = 0):
    """Return the 68 points of a face, ``size`` from its middle to the chin."""
    arc = np.linspace(np.pi, 0, 17)
    ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    lips = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    brow = np.linspace(-0.2, 0.2, 5)
    parts = [
        (0.9 * np.cos(arc), np.sin(arc)),
        (brow - 0.4, np.full(5, -0.4)),
        (brow + 0.4, np.full(5, -0.4)),
        (np.zeros(9), np.linspace(-0.2, 0.25, 9)),
        (0.12 * np.cos(ring) - 0.4, 0.05 * np.sin(ring) - 0.15),
        (0.12 * np.cos(ring) + 0.4, 0.05 * np.sin(ring) - 0.15),
        (0.3 * np.cos(lips), 0.1 * np.sin(lips) + 0.55),
    ]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.concatenate(parts, axis=1).T * size @ [[cos, sin], [-sin, cos]] + middle


#: Folder and ending of the files of CK+.
CK_PLUS_FILES = {
    "image": ("cohn-kanade-images", ".png"),
    "label": ("Emotion", "_emotion.txt"),
    "points": ("Landmarks", "_landmarks.txt"),
}


def ck_plus_file(
    root: Path, kind: str, frame: int = 3, person: str = "S010", session: str = "001"
) -> Path:
    """Return a file of CK+: of the first sequence's peak if no other is named."""
    folder, ending = CK_PLUS_FILES[kind]
    name = f"{person}_{session}_{frame:08d}{ending}"
    return root / folder / person / session / name


def ck_plus(root: Path) -> Layout:
    """Sequences of three frames, one of contempt and one without a label."""
    made = Layout("ck_plus", root, CK_PLUS)
    more = [("S010", "007", "2"), ("S011", "007", "")]
    points = "".join(f"  {x:.7e}  {y:.7e}\n" for x, y in face_points((24, 24), 18, 5))
    between = []
    for i, (person, session, label) in enumerate(sequences(CK_PLUS) + more):
        files = [
            partial(ck_plus_file, root, frame=frame, person=person, session=session)
            for frame in (1, 2, 3)
        ]
        for file in files:
            draw(file("image"), 10 * i + file.keywords["frame"], 48, "L")
            put(file("points"), points)
        note = files[2]("label")
        note.parent.mkdir(parents=True, exist_ok=True)
        if label:
            put(note, f"   {float(label):.7e}\n")
        if label in CK_PLUS:
            made.labels += ["0", label]
            made.photos += [files[0]("image"), files[2]("image")]
            made.notes.append(note)
            between.append(str(files[1]("image").relative_to(root)))
    for place in (root / "cohn-kanade-images", root / "Emotion" / "S010"):
        (place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    contempt = ck_plus_file(root, "label", session="007").relative_to(root)
    made.expected = {
        "contempt, not one of the paper's classes": [str(contempt)],
        "sequence without a label": ["S011/007"],
        "frame that is neither the first nor the peak": between,
    }
    return made


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "raf_db_basic": partial(raf_db, half="basic", codes=RAF_BASIC),
    "raf_db_compound": partial(raf_db, half="compound", codes=RAF_COMPOUND),
    "affectnet": affectnet,
    "affectnet, newer": affectnet_newer,
    "fer2013": fer2013,
    "fer2013, icml": partial(
        fer2013, file="fer2013/icml_face_data.csv", order="emotion, Usage, pixels"
    ),
    "facial_expressions": partial(
        build,
        name="facial_expressions",
        codes=WORDS,
        plan=in_pairs,
        photo="images/" + PERSON,
        row="628," + PERSON + ",{label}",
        table="data/legend.csv",
        header="user.id,image,emotion",
    ),
    "folder, classes": partial(
        build, name="folder", codes=WORDS, plan=in_pairs, photo="{label}/" + PERSON
    ),
    "folder, table": partial(
        build,
        name="folder",
        codes=WORDS,
        plan=in_splits,
        photo="shots/{i:03d}.jpg",
        row="shots/{i:03d}.jpg,{label},{split},{split} person {half}",
        table="faces.csv",
        header="path,label,split,person",
    ),
    "ck_plus": ck_plus,
    "mmi, table": mmi_table,
    "mmi, videos": mmi_videos,
}
