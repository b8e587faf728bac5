"""MMI: videos of posed expressions that begin and end neutral, the six basic ones.

Two layouts are read. As the data set is given out: ``Sessions/<number>/`` with the
video ``S001-001.avi``, ``session.xml`` with its view, and ``S001-001.xml`` with
``<Metatag Name="Emotion" Value="4"/>``. Videos need the extra ``fersep[video]``.

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

import re
from collections import defaultdict
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fersep.data.files import Files, below, no_file_reason
from fersep.data.images import square_image
from fersep.data.rows import Said, merge_rows, read_code, read_numbers, read_rows, skip
from fersep.data.types import Array, DataError, Listing, Photo, Skipped

#: Value of the Emotion tag -> class; higher ones are other emotions.
CODES = {1: "AN", 2: "DI", 3: "FE", 4: "HA", 5: "SA", 6: "SU"}

TABLE = "frames.csv"
COLUMNS = ("session", "person", "emotion", "neutral", "peak")
BOX = ("left", "top", "right", "bottom")
VIDEOS = {".avi", ".mpg", ".mpeg", ".mp4", ".mov", ".mkv"}
FRONT = "0"


def list_images(name: str, root: Path) -> Listing:
    """Find the neutral frame and the peak of each sequence."""
    skipped: Skipped = defaultdict(list)
    from_table = (root / TABLE).is_file()
    if from_table:
        photos = _list_table(root, skipped)
    elif (root / "Sessions").is_dir():
        photos = _list_videos(root, skipped)
    else:
        raise DataError(
            f"{root} holds neither {TABLE} nor the folder Sessions; give the folder of "
            "MMI that holds one of them"
        )
    if photos and not from_table and find_spec("av") is None:
        raise DataError(
            f"{root} holds videos, and the package that reads them is missing: pip "
            "install fersep[video]; or take the frames out yourself and list them in "
            f"{TABLE}"
        )
    return Listing(
        photos,
        skipped,
        f"{root} has no sequence of MMI that can be used",
        f"a row of {TABLE} has the columns {', '.join(COLUMNS)}, a folder in Sessions "
        "holds S001-001.avi, S001-001.xml with its emotion and session.xml with its "
        "view",
        read=None if from_table else read_frame,
    )


def _list_table(root: Path, skipped: Skipped) -> list[Photo]:
    files = Files(root, root, skipped)
    skipped["file that is no image"].remove(TABLE)
    said: Said[str, tuple[Any, ...]] = defaultdict(list)
    for number, row in read_rows(root / TABLE, COLUMNS):
        frames = [row["neutral"], row["peak"]]
        images = [files.find(frame) for frame in frames]
        code = read_code(row["emotion"])
        lost = frames[images.index("")] if "" in images else ""
        cells = [row[side] for side in BOX]
        box = tuple(read_numbers(cells))
        no_box = not box or box[0] >= box[2] or box[1] >= box[3]
        reasons = {
            "row without a session or a person": "" in (row["session"], row["person"]),
            "unknown label": code not in CODES,
            no_file_reason(lost): "" in images,
            "row that names one image twice": images[0] == images[1],
            "row whose box is not four numbers": any(cells) and no_box,
        }
        line = f"line {number}: {row['session']}, {row['emotion']}"
        if not skip(skipped, line, reasons):
            fact = (*images, CODES[code], row["person"].upper(), box or None)
            said[row["session"].upper()].append((line, fact))
    skipped["image file without a row"] += files.not_found()
    return [
        Photo(files.paths[image], label, person, part=box)
        for neutral, peak, code, person, box in merge_rows(said, skipped).values()
        for image, label in ((neutral, "NE"), (peak, code))
    ]


def _list_videos(root: Path, skipped: Skipped) -> list[Photo]:
    files = Files(root / "Sessions", root, skipped, VIDEOS | {".xml"})
    said: Said[str, tuple[int, str]] = defaultdict(list)
    first: dict[str, Path] = {}
    for video, path in files.paths.items():
        if path.suffix.lower() == ".xml":
            continue
        session = files.find(f"{video.rpartition('/')[0]}/session.xml")
        note = files.find(f"{video.rpartition('.')[0]}.xml")
        told = re.fullmatch(r"(S\d+)-\d+", path.stem, re.IGNORECASE)
        person = told[1].upper() if told else ""
        view = read_view(files.paths[session], path.name) if session else None
        values = read_emotions(files.paths[note]) if note else None
        code = read_code(values[0]) if values else 0
        reasons = {
            "video whose name tells no person": not person,
            "video without an annotation": not note,
            "annotation that is no XML": values is None,
            "video whose view is not told": view is None,
            "video that is not from the front alone": view != FRONT,
            "annotation with no emotion": not values,
            "annotation with more than one emotion": len(values or "") > 1,
            "unknown label": code < 1,
            "emotion that is none of the six basic ones": code not in CODES,
        }
        if not skip(skipped, f"Sessions/{video}", reasons):
            stem = path.stem.upper()
            first.setdefault(stem, path)
            said[stem].append((f"Sessions/{video}", (code, person)))
    skipped["annotation without a video"] += [
        f"Sessions/{note}"
        for note in files.not_found()
        if re.search(r"(?<!-oao_aucs)\.xml$", note, re.IGNORECASE)
    ]
    return [
        Photo(path, label, person, part=part, name=f"{below(root, path)}, {part} frame")
        for stem, (code, person) in merge_rows(said, skipped).items()
        for path in [first[stem]]
        for label, part in (("NE", "first"), (CODES[code], "middle"))
    ]


def _find_tags(path: Path, pattern: str) -> list[ElementTree.Element] | None:
    """Return the tags of any namespace, None if the file is no XML."""
    try:
        return ElementTree.parse(path).findall(f".//{{*}}{pattern}")
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def read_emotions(path: Path) -> list[str] | None:
    """Return the different values of the Emotion tag, None if the file is no XML."""
    tags = _find_tags(path, "Metatag[@Name='Emotion']")
    return None if tags is None else sorted({tag.get("Value", "") for tag in tags})


def read_view(path: Path, video: str) -> str | None:
    """Return the view of a video, None if its session does not tell one."""
    tracks = _find_tags(path, "track[@view]") or []
    own = [t for t in tracks if video.lower() in map(str.lower, t.attrib.values())]
    views = {track.get("view") for track in own or tracks}
    return views.pop() if len(views) == 1 else None


def read_frame(path: Path, size: int, which: str) -> Array | None:
    """Return the "first" or the "middle" frame of a video as (3, size, size) uint8.

    None if the video cannot be read, or ends before nine tenths of the frames that it
    announces.
    """
    import av

    number = 0
    try:
        if which == "middle":
            with av.open(str(path)) as video:
                announced = video.streams.video[0].frames
                total = sum(1 for _ in video.decode(video=0))
            if total < 0.9 * announced:
                return None
            number = total // 2
        with av.open(str(path)) as video:
            frame = next(islice(video.decode(video=0), number, None))
            return square_image(frame.to_image(), size)
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration):
        return None
