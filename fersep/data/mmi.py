"""MMI: videos of posed expressions that begin and end neutral, the six basic ones.

Two layouts are read. As the data set is given out: ``Sessions/<number>/`` with the
video ``S001-001.avi``, ``session.xml`` with its view, and ``S001-001.xml`` with
``<Metatag Name="Emotion" Value="4"/>``. Videos need the package av.

Or frames that a reader took out of the videos, with a table ``frames.csv`` of one row
for each sequence: ``session,person,emotion,neutral,peak``. The emotion is the number in
the Emotion tag, neutral and peak are paths of images below the root. The columns
``left,top,right,bottom``, in pixels, cut the face out of both.

Each sequence gives two images: the first frame as neutral, the middle one as the peak.
Of a video without a table the largest square around the middle is used: no detector
looks for the face. Only views from the front are read; where one picture holds front
and side, or lies on its side, take the frames out yourself. There is no official split:
people stand on one side only.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from fersep.data.classes import BASIC_CLASSES, counts
from fersep.data.files import (
    Files,
    merge_rows,
    no_file_reason,
    read_table,
    say_skipped,
)
from fersep.data.images import read_image, square_image
from fersep.data.types import Card, Counts, DataError, Listing, Skipped

#: Value of the Emotion tag -> class; higher ones are other emotions.
CODES = {1: "AN", 2: "DI", 3: "FE", 4: "HA", 5: "SA", 6: "SU"}

#: The selection of 205 sequences that most papers count. Which ones this paper took it
#: does not say; its percentages fit 208 sequences and cannot come from 205.
PUBLISHED: dict[str, Counts] = {
    "mmi": counts(BASIC_CLASSES, all=(205, 42, 32, 40, 28, 31, 32))
}

CARD = Card(
    name="MMI Facial Expression Database",
    source="mmifacedb.eu, Imperial College London and University of Twente",
    people="Some thirty students and staff of 19 to 62 years, filmed from the front in "
    "a laboratory",
    consent="They posed for the database and knew of its use in research.",
    license="For research only, not to be passed on; an account is opened after the "
    "signed agreement has arrived",
    labels="The expression a person was asked to pose. The paper counts 205 sequences "
    "without naming them, and its percentages fit 208 instead.",
    biases="Posed, frontal, evenly lit; some people wear glasses, caps or beards; the "
    "first frame of a sequence shows the same person as its peak.",
    redistributable=False,
    citation="Pantic, Valstar, Rademaker and Maat, Web-based database for facial "
    "expression analysis, ICME 2005",
)

TABLE = "frames.csv"
COLUMNS = ("session", "person", "emotion", "neutral", "peak")
BOX = ("left", "top", "right", "bottom")
VIDEOS = {".avi", ".mpg", ".mpeg", ".mp4", ".mov", ".mkv"}
FRONT = "0"

Array = NDArray[Any]
#: File, class, person and what of the file to read.
Row = tuple[Path, str, str, Any]


def list_images(name: str, root: Path) -> Listing:
    """Find the neutral frame and the peak of each sequence.

    Raises
    ------
    DataError
        If the folder has neither layout, no sequence can be used, or videos cannot be
        read here.
    """
    skipped: Skipped = defaultdict(list)
    sessions = root / "Sessions"
    names = None
    read: Callable[[Path, int, Any], Array | None] = read_image
    if (root / TABLE).is_file():
        rows = _from_table(root, skipped)
    elif sessions.is_dir():
        rows, read = _from_videos(root, sessions, skipped), read_frame
        names = [f"{path.relative_to(root)}, {part} frame" for path, *_, part in rows]
    else:
        raise DataError(
            f"{root} holds neither {TABLE} nor the folder Sessions; give the folder of "
            "MMI that holds one of them"
        )
    if not rows:
        raise DataError(
            f"{root} has no sequence of MMI that can be used{say_skipped(skipped)}; a "
            f"row of {TABLE} has the columns {', '.join(COLUMNS)}, a folder in "
            "Sessions holds S001-001.avi, S001-001.xml with its emotion and "
            "session.xml with its view"
        )
    if read is read_frame and find_spec("av") is None:
        raise DataError(
            f"{root} holds videos, and the package that reads them is missing: pip "
            f"install av; or take the frames out yourself and list them in {TABLE}"
        )
    return Listing(
        [path for path, *_ in rows],
        [BASIC_CLASSES.index(code) for _, code, _, _ in rows],
        [person for _, _, person, _ in rows],
        None,
        BASIC_CLASSES,
        skipped,
        PUBLISHED[name],
        [part for *_, part in rows],
        names,
        read,
    )


def _from_table(root: Path, skipped: Skipped) -> list[Row]:
    files = Files(root, root, skipped)
    skipped["file that is no image"].remove(TABLE)
    said: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
    named: set[str] = set()
    for number, row in enumerate(read_table(root / TABLE, COLUMNS), start=2):
        line = f"line {number}: {row['session']}, {row['emotion']}"
        frames = [row["neutral"], row["peak"]]
        images = [files.find(frame) for frame in frames]
        named.update(image for image in images if image)
        box = _box(row)
        if not row["session"] or not row["person"]:
            skipped["row without a session or a person"].append(line)
        elif row["emotion"] not in map(str, CODES):
            skipped["unknown label"].append(line)
        elif None in images:
            skipped[no_file_reason(frames[images.index(None)])].append(line)
        elif images[0] == images[1]:
            skipped["row that names one image twice"].append(line)
        elif box == ():
            skipped["row whose box is not four numbers"].append(line)
        else:
            fact = (*images, CODES[int(row["emotion"])], row["person"].upper(), box)
            said.setdefault(row["session"].upper(), []).append((line, fact))
    others = [image for image in files.paths if image not in named]
    skipped["image file without a row"].extend(others)
    rows: list[Row] = []
    for neutral, peak, code, person, box in merge_rows(said, skipped).values():
        rows.append((files.paths[neutral], "NE", person, box))
        rows.append((files.paths[peak], code, person, box))
    return rows


def _box(row: dict[str, str]) -> tuple[float, ...] | None:
    """Return the four sides, None if none is given, nothing if they are no box."""
    cells = [row.get(side, "") for side in BOX]
    if not any(cells):
        return None
    try:
        left, top, right, bottom = map(float, cells)
    except ValueError:
        return ()
    fits = math.isfinite(left + top + right + bottom) and left < right and top < bottom
    return (left, top, right, bottom) if fits else ()


def _from_videos(root: Path, sessions: Path, skipped: Skipped) -> list[Row]:
    files = Files(sessions, root, skipped, VIDEOS | {".xml"})
    said: dict[str, list[tuple[str, tuple[Path, str, str]]]] = {}
    used: set[str | None] = set()
    for video, path in files.paths.items():
        if path.suffix.lower() == ".xml":
            continue
        row = f"Sessions/{video}"
        folder = video.rpartition("/")[0]
        session = files.find(f"{folder}/session.xml")
        note = files.find(f"{video.rpartition('.')[0]}.xml")
        used.update((session, note))
        told = re.fullmatch(r"(S\d+)-\d+", path.stem, re.IGNORECASE)
        view = view_of(files.paths[session], path.name) if session else None
        codes = emotions(files.paths[note]) if note else []
        if told is None:
            skipped["video whose name tells no person"].append(row)
        elif note is None:
            skipped["video without an annotation"].append(row)
        elif codes is None:
            skipped["annotation that is no XML"].append(row)
        elif view is None:
            skipped["video whose view is not told"].append(row)
        elif view != FRONT:
            skipped["video that is not from the front alone"].append(row)
        elif len(codes) != 1:
            reason = "more than one emotion" if codes else "no emotion"
            skipped[f"annotation with {reason}"].append(row)
        elif not codes[0].isdecimal() or int(codes[0]) == 0:
            skipped["unknown label"].append(row)
        elif int(codes[0]) not in CODES:
            skipped["emotion that is none of the six basic ones"].append(row)
        else:
            fact = (CODES[int(codes[0])], told[1].upper())
            said.setdefault(path.stem.upper(), []).append((row, (path, *fact)))
    skipped["annotation without a video"].extend(
        f"Sessions/{note}"
        for note, path in files.paths.items()
        if path.suffix.lower() == ".xml"
        and note not in used
        and not note.lower().endswith("-oao_aucs.xml")
    )
    rows: list[Row] = []
    for path, code, person in _once(said, skipped):
        rows.append((path, "NE", person, "first"))
        rows.append((path, code, person, "middle"))
    return rows


def _once(
    said: dict[str, list[tuple[str, tuple[Path, str, str]]]], skipped: Skipped
) -> list[tuple[Path, str, str]]:
    """Return the first of videos that have one name, if they have one emotion too."""
    facts = {name: [(row, f[1:]) for row, f in rows] for name, rows in said.items()}
    known = merge_rows(facts, skipped)
    return [(said[name][0][1][0], *fact) for name, fact in known.items()]


def _elements(path: Path, tag: str) -> list[dict[str, str]] | None:
    """Return the attributes of all elements of a tag, None if the file is no XML."""
    try:
        tree = ElementTree.parse(path)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return [
        {name.lower(): value.strip() for name, value in element.attrib.items()}
        for element in tree.iter()
        if element.tag.rpartition("}")[2].lower() == tag
    ]


def emotions(path: Path) -> list[str] | None:
    """Return the different values of the Emotion tag, None if the file is no XML."""
    tags = _elements(path, "metatag")
    if tags is None:
        return None
    found = [t.get("value", "") for t in tags if t.get("name", "").lower() == "emotion"]
    return sorted(set(found))


def view_of(path: Path, video: str) -> str | None:
    """Return the view of a video, None if its session does not tell one."""
    tracks = _elements(path, "track") or []
    own = [track for track in tracks if video.lower() in map(str.lower, track.values())]
    views = {track["view"] for track in own or tracks if "view" in track}
    return views.pop() if len(views) == 1 else None


def read_frame(path: Path, size: int, which: str) -> Array | None:
    """Return the "first" or the "middle" frame of a video as (3, size, size) uint8.

    None if the video cannot be read, or ends before nine tenths of the frames that it
    announces.
    """
    import av

    try:
        if which == "first":
            return square_image(next(_frames(path)).to_image(), size)
        with av.open(str(path)) as video:
            announced = video.streams.video[0].frames
        total = sum(1 for _ in _frames(path))
        if total == 0 or total < 0.9 * announced:
            return None
        for number, frame in enumerate(_frames(path)):
            if number == total // 2:
                return square_image(frame.to_image(), size)
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration):
        pass
    return None


def _frames(path: Path) -> Iterator[Any]:
    import av

    with av.open(str(path)) as video:
        yield from video.decode(video=0)
