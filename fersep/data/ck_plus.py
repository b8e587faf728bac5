"""CK+: sequences from a neutral face to the peak of a posed expression.

Layout: ``cohn-kanade-images/S005/001/S005_001_00000011.png``, the label in
``Emotion/S005/001/S005_001_00000011_emotion.txt``, 68 points of each frame in
``Landmarks/S005/001/S005_001_00000011_landmarks.txt``.

Each labeled sequence gives two images, as in the paper: the frame at the peak, which is
the last one and which the label names, and the first one as neutral. Contempt is left
out, and so are the frames in between. A face is turned until its eyes are level and cut
out around its own points. There is no official split: people stand on one side only.
"""

import math
import re
import unicodedata
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from fersep.data.files import SUFFIXES, Files, below
from fersep.data.images import square_image, to_rgb
from fersep.data.rows import Said, merge_rows, read_code, skip
from fersep.data.types import Array, Listing, Photo, Skipped

#: Label in the files -> class. 0 would be neutral, and no sequence has it.
CODES = {1: "AN", 3: "DI", 4: "FE", 5: "HA", 6: "SA", 7: "SU"}
CONTEMPT = 2

#: Folder -> folder of the archive it may stand in.
FOLDERS = {
    "cohn-kanade-images": "extended-cohn-kanade-images",
    "Emotion": "Emotion_labels",
    "Landmarks": "Landmarks",
}

#: The side of the square in sides of the box around the points, which end at the brows,
#: and how far the square is moved up to take in the forehead.
MARGIN = 1.3
LIFT = 0.08

#: Corners of the eyes and lids among the 68 points, from the left of the picture.
EYES = (slice(36, 42), slice(42, 48))

#: Person, session, number of the frame.
Frame = tuple[str, str, int]
#: Middle (x, y) and side of a square in pixels, and its turn in degrees.
Square = tuple[float, float, float, float]


def list_images(name: str, root: Path) -> Listing:
    """Find the first frame and the peak of each labeled sequence, and their points."""
    skipped: Skipped = defaultdict(list)
    frames = _by_frame("cohn-kanade-images", root, skipped, SUFFIXES, r"\.\w+")
    notes = _by_frame("Emotion", root, skipped, {".txt"}, "_emotion.txt")
    marks = _by_frame("Landmarks", root, skipped, {".txt"}, "_landmarks.txt")
    photos = []
    for frame, code in _label_frames(frames, notes, root, skipped):
        points = read_points(marks[frame]) if frame in marks else None
        square = None if points is None else face_square(points)
        row = below(root, frames[frame])
        if not skip(skipped, row, {"frame without its 68 points": square is None}):
            photos.append(Photo(frames[frame], code, frame[0], part=square))
    nothing = f"{root} has no sequence of CK+ that can be used"
    advice = f"give the folder that holds {', '.join(FOLDERS)} as they were unpacked"
    return Listing(photos, skipped, nothing, advice, read=read_face)


def _by_frame(
    folder: str, root: Path, skipped: Skipped, suffixes: set[str], ending: str
) -> dict[Frame, Path]:
    """Return the file of each frame; the folders must tell what the name tells."""
    places = [root / FOLDERS[folder] / folder, root / folder]
    place = next(filter(Path.is_dir, places), places[1])
    advice = f"give the folder of CK+ that holds {', '.join(FOLDERS)}; copies in class "
    advice += "folders are read as the data set folder"
    files = Files(place, root, skipped, suffixes, advice=advice)
    found: dict[Frame, Path] = {}
    for name, path in files.paths.items():
        plain = unicodedata.normalize("NFC", name)
        told = re.fullmatch(rf"([^/_]+)/([^/_]+)/\1_\2_(\d+){ending}", plain, re.I)
        frame = (told[1].upper(), told[2], int(told[3])) if told else ("", "", 0)
        reasons = {
            "file whose name tells no frame of its folder": told is None,
            "second file of a frame": frame in found,
        }
        if not skip(skipped, below(root, path), reasons):
            found[frame] = path
    return found


def _label_frames(
    frames: dict[Frame, Path], notes: dict[Frame, Path], root: Path, skipped: Skipped
) -> list[tuple[Frame, str]]:
    """Return the first frame of each sequence as neutral, its peak as labeled."""
    sequences: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    for frame in sorted(frames):
        sequences[frame[:2]].append(frame)
    said: Said[tuple[str, str], tuple[Frame, int]] = defaultdict(list)
    for frame, note in notes.items():
        row, code = below(root, note), read_code(note.read_bytes())
        if not skip(skipped, row, {"annotation that is not one number": code < 0}):
            said[frame[:2]].append((row, (frame, code)))
    used: list[tuple[Frame, str]] = []
    for sequence, (peak, code) in merge_rows(said, skipped).items():
        row = said[sequence][0][0]
        reasons = {
            "contempt, not one of the paper's classes": code == CONTEMPT,
            "unknown label": code not in CODES,
            "annotation without an image file": peak not in frames,
        }
        if skip(skipped, row, reasons):
            continue
        first = sequences[sequence][0]
        if not skip(skipped, row, {"peak without a frame before it": first == peak}):
            used.append((first, "NE"))
        used.append((peak, CODES[code]))
        skipped["frame that is neither the first nor the peak"] += [
            below(root, frames[frame])
            for frame in sequences[sequence]
            if frame not in (first, peak)
        ]
    unlabeled = sequences.keys() - {frame[:2] for frame in notes}
    skipped["sequence without a label"] += map("/".join, sorted(unlabeled))
    return used


def read_points(path: Path) -> Array | None:
    """Return the points (68, 2) of a face in pixels, None if the file has no such."""
    rows = [line.split() for line in path.read_bytes().splitlines() if line.strip()]
    try:
        points = np.asarray(rows, dtype=float)
    except ValueError:
        return None
    return points if points.shape == (68, 2) and np.isfinite(points).all() else None


def face_square(points: Array) -> Square | None:
    """Return the square around a face, turned until the eyes are level.

    None if the points (68, 2) of jaw, brows, nose, eyes and mouth lie in one place.
    """
    left, right = (points[eye].mean(0) for eye in EYES)
    turn = math.atan2(right[1] - left[1], right[0] - left[0])
    cos, sin = math.cos(turn), math.sin(turn)
    axes = np.array([[cos, sin], [-sin, cos]])
    level = points @ axes.T
    low, high = level.min(0), level.max(0)
    side = MARGIN * (high - low).max()
    if side < 1 or (left == right).all():
        return None
    x, y = ((low + high) / 2 - [0, LIFT * side]) @ axes
    return round(x, 2), round(y, 2), round(side, 2), round(math.degrees(turn), 2)


def read_face(path: Path, size: int, square: Square) -> Array | None:
    """Return a turned square of an image file as (3, size, size) uint8.

    None if the file cannot be read or the square lies off the picture. Where the square
    passes the edge, the edge goes on.
    """
    x, y, side, degrees = square
    try:
        with Image.open(path) as image:
            pixels = np.asarray(to_rgb(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    height, width = pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height and side < 2 * max(width, height)):
        return None
    # Half the diagonal of the square, and one pixel.
    pad = math.ceil(0.71 * side) + 1
    wide = Image.fromarray(np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), "edge"))
    n = max(size, round(side))
    cos = math.cos(math.radians(degrees)) * side / n
    sin = math.sin(math.radians(degrees)) * side / n
    left, top = x + pad - (cos - sin) * n / 2, y + pad - (sin + cos) * n / 2
    affine = (cos, -sin, left, sin, cos, top)
    face = wide.transform(
        (n, n), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
    )
    return square_image(face, size)
