"""CK+ and MMI, written on a small scale with drawn pictures and real videos."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from layouts import draw, picture
from PIL import Image

from fersep import data

CK_PLUS = {1: "AN", 3: "DI", 4: "FE", 5: "HA", 6: "SA", 7: "SU"}
MMI = {1: "AN", 2: "DI", 3: "FE", 4: "HA", 5: "SA", 6: "SU"}
PEOPLE = 4


@dataclass
class Made:
    """A written data set.

    Attributes
    ----------
    name, root
        For `fersep.data.load`.
    images : int
        How many can be used.
    expected : dict of str to int
        How many are left out of the unbroken folder, and why.
    table : Path or None
    rows : list of str
        Lines of the table.
    """

    name: str
    root: Path
    images: int = 0
    expected: dict[str, int] = field(default_factory=dict)
    table: Path | None = None
    rows: list[str] = field(default_factory=list)

    def write(self, end: str = "\n") -> None:
        assert self.table
        self.table.write_bytes(end.join(self.rows).encode())


@dataclass
class Lost:
    """So many images are lost; reason -> how many files or rows are named under it."""

    images: int
    reasons: dict[str, int] = field(default_factory=dict)


SAME = Lost(0)
UNREADABLE = Lost(1, {"unreadable image": 1})


def outcome(made: Made) -> Lost:
    """Return what a fault cost."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = data.survey(made.name, made.root, 16)
    more = {
        reason: len(names) - made.expected.get(reason, 0)
        for reason, names in found.skipped.items()
    }
    more |= {reason: -n for reason, n in made.expected.items() if reason not in more}
    images = made.images - sum(found.counts["all"].values())
    return Lost(images, {reason: n for reason, n in more.items() if n})


def landmarks(middle: Sequence[float], size: float, degrees: float = 0) -> np.ndarray:
    """Return the 68 points of a face, ``size`` from its middle to the chin."""
    arc = np.linspace(np.pi, 0, 17)
    ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    lips = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    brow = np.linspace(-0.2, 0.2, 5)
    parts = [
        np.stack([0.9 * np.cos(arc), np.sin(arc)], 1),
        np.stack([brow - 0.4, np.full(5, -0.4)], 1),
        np.stack([brow + 0.4, np.full(5, -0.4)], 1),
        np.stack([np.zeros(9), np.linspace(-0.2, 0.25, 9)], 1),
        np.stack([0.12 * np.cos(ring) - 0.4, 0.05 * np.sin(ring) - 0.15], 1),
        np.stack([0.12 * np.cos(ring) + 0.4, 0.05 * np.sin(ring) - 0.15], 1),
        np.stack([0.3 * np.cos(lips), 0.1 * np.sin(lips) + 0.55], 1),
    ]
    turn = np.radians(degrees)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.concatenate(parts) * size @ axes + middle


def ck_plus_note(root: Path, person: str, session: str, frame: int) -> Path:
    name = f"{person}_{session}_{frame:08d}_emotion.txt"
    return root / "Emotion" / person / session / name


def ck_plus_frame(root: Path, person: str, session: str, frame: int) -> Path:
    name = f"{person}_{session}_{frame:08d}.png"
    return root / "cohn-kanade-images" / person / session / name


def ck_plus_points(root: Path, person: str, session: str, frame: int) -> Path:
    name = f"{person}_{session}_{frame:08d}_landmarks.txt"
    return root / "Landmarks" / person / session / name


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def ck_plus(root: Path) -> Made:
    """Four people with the six expressions, one with contempt, one unlabeled."""
    sequences = [
        (f"S{10 + p:03d}", f"{1 + s:03d}", code)
        for p in range(PEOPLE)
        for s, code in enumerate(CK_PLUS)
    ]
    sequences += [("S010", "007", 2), ("S011", "007", None)]
    for i, (person, session, code) in enumerate(sequences):
        for frame in (1, 2, 3):
            photo = ck_plus_frame(root, person, session, frame)
            photo.parent.mkdir(parents=True, exist_ok=True)
            picture(10 * i + frame, 48).convert("L").save(photo)
            rows = landmarks((24, 24), 18, 5).tolist()
            text = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in rows)
            put(ck_plus_points(root, person, session, frame), text)
        note = ck_plus_note(root, person, session, 3)
        note.parent.mkdir(parents=True, exist_ok=True)
        if code is not None:
            put(note, f"   {code:.7e}\n")
    for place in (root / "cohn-kanade-images", root / "Emotion" / "S010"):
        (place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return Made(
        "ck_plus",
        root,
        2 * PEOPLE * len(CK_PLUS),
        {
            "contempt, not one of the paper's classes": 1,
            "sequence without a label": 1,
            "frame that is neither the first nor the peak": PEOPLE * len(CK_PLUS),
        },
    )


def mmi_table(root: Path) -> Made:
    """Frames taken out of the videos, and ``frames.csv``."""
    rows = ["session,person,emotion,neutral,peak"]
    for p in range(PEOPLE):
        for code in MMI:
            session = 100 * p + code
            frames = [f"frames/{session}/{number}.png" for number in (1, 40)]
            for i, frame in enumerate(frames):
                draw(root / frame, 10 * session + i)
            rows.append(f"{session},S{p + 1:03d},{code},{frames[0]},{frames[1]}")
    made = Made("mmi", root, 2 * PEOPLE * len(MMI), table=root / "frames.csv")
    made.rows = rows
    made.write()
    return made


def film(path: Path, seed: int, frames: int = 5, side: int = 32) -> Path:
    """Write a video in which each frame is brighter than the one before."""
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


def mmi_session(
    root: Path, session: int, stem: str, code: object, view: str = "0"
) -> Path:
    """Write one folder of ``Sessions``; its video is returned."""
    folder = root / "Sessions" / str(session)
    put(
        folder / "session.xml",
        f'<?xml version="1.0"?>\n<session sessionId="{session}">'
        f'<track type="Video" filename="{stem}.avi" view="{view}"/></session>',
    )
    tag = f'<Metatag Name="Emotion" Value="{code}"/>' if code is not None else ""
    put(
        folder / f"{stem}.xml",
        f'<?xml version="1.0"?>\n<annotation>{tag}'
        '<Metatag Name="Frames" Value="5"/></annotation>',
    )
    put(folder / f"{stem}-oao_aucs.xml", "<ActionUnits/>")
    return film(folder / f"{stem}.avi", session)


def mmi_videos(root: Path) -> Made:
    """``Sessions`` as they are given out, with other emotions and other views."""
    for p in range(PEOPLE):
        for code in MMI:
            mmi_session(root, 100 * p + code, f"S{p + 1:03d}-{code:03d}", code)
    mmi_session(root, 900, "S001-090", 8)
    mmi_session(root, 901, "S001-091", None)
    mmi_session(root, 902, "S001-092", 4, view="2")
    return Made(
        "mmi",
        root,
        2 * PEOPLE * len(MMI),
        {
            "emotion that is none of the six basic ones": 1,
            "annotation with no emotion": 1,
            "video that is not from the front alone": 1,
        },
    )
