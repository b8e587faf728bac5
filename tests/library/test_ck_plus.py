"""CK+: frames of a sequence, faces cut out by their points, and damaged annotations."""

import unicodedata

import numpy as np
import pytest
from layouts import Lost, ck_plus, ck_plus_file, face_points, outcome, put
from PIL import Image

from fersep import data
from fersep.data import BASIC_CLASSES, DataError
from fersep.data import ck_plus as reader


@pytest.fixture
def made(tmp_path):
    return ck_plus(tmp_path / "Gesichter für alle")


def test_splits_are_by_person_and_the_whole_is_one_call(made):
    parts = data.load_splits("ck_plus", made.root, image_size=16)
    people = [set(part.groups) for part in parts]
    assert sum(map(len, parts)) == len(made.labels)
    assert sorted(p for part in people for p in part) == [
        "S010",
        "S011",
        "S012",
        "S013",
    ]
    assert all(part.classes == BASIC_CLASSES for part in parts)
    whole = data.whole("ck_plus", made.root, image_size=16)
    assert whole.classes == BASIC_CLASSES
    for name, group in zip(made.photos, whole.groups, strict=True):
        assert name.name.startswith(group)
    sums = [image.sum().item() for part in parts for image in part.images]
    assert sorted(sums) == sorted(image.sum().item() for image in whole.images)


def test_folders_of_the_archives_are_found(made):
    for folder, above in reader.FOLDERS.items():
        (made.root / folder).rename(made.root / "moved")
        (made.root / above).mkdir()
        (made.root / "moved").rename(made.root / above / folder)
    assert outcome(made) == Lost(0)


@pytest.mark.parametrize("degrees", [0, 17, -30])
@pytest.mark.parametrize("middle", [(320, 240), (70, 60), (600, 450)])
def test_eyes_are_level_and_the_face_fills_the_square(tmp_path, degrees, middle):
    points = face_points(middle, 100, degrees)
    sheet = np.zeros((490, 640, 3), dtype=np.uint8)
    for eye in (points[36:42], points[42:48]):
        x, y = eye.mean(0).round().astype(int)
        if 5 < x < 635 and 5 < y < 485:
            sheet[y - 5 : y + 6, x - 5 : x + 6, 0] = 255
    Image.fromarray(sheet).save(tmp_path / "face.png")
    square = reader.face_square(points)
    assert square[2] == pytest.approx(1.3 * 180, abs=1)
    assert square[3] == pytest.approx(degrees, abs=0.01)
    face = reader.read_face(tmp_path / "face.png", 100, square)
    assert face.shape == (3, 100, 100)
    rows, columns = np.nonzero(face[0] > 100)
    for side, x in (((columns < 50), 33), ((columns >= 50), 67)):
        if side.any():
            assert columns[side].mean() == pytest.approx(x, abs=1.5)
            assert rows[side].mean() == pytest.approx(rows.mean(), abs=1.5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_every_color_mode_becomes_rgb(tmp_path, mode):
    Image.new("L", (64, 64), 255).convert(mode).save(tmp_path / "a.png")
    face = reader.read_face(tmp_path / "a.png", 16, (32, 32, 30, 3))
    assert face.shape == (3, 16, 16)
    assert face.min() == 255


def test_squares_off_the_picture_are_not_read(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    for square in ((-1, 9, 20, 0), (9, 64, 20, 0), (9, 9, 1e9, 0)):
        assert reader.read_face(tmp_path / "a.png", 16, square) is None


def write(kind, content, frame=3):
    """Return a fault: other content in a file of the first sequence."""

    def fault(root):
        path = ck_plus_file(root, kind, frame)
        new = content(path.read_text()) if callable(content) else content
        path.write_bytes(new if isinstance(new, bytes) else new.encode())

    return fault


def unlink(kind, *frames):
    def fault(root):
        for frame in frames:
            ck_plus_file(root, kind, frame).unlink()

    return fault


def not_ascii(root):
    """A person Ä, once as one sign and once as two."""
    for folder, form in zip(reader.FOLDERS, ("NFC", "NFD", "NFC"), strict=True):
        name = unicodedata.normalize(form, "SÄ")
        for path in sorted((root / folder).rglob("S010*")):
            if path.is_file():
                path.rename(path.with_name(path.name.replace("S010", name)))
        (root / folder / "S010").rename(root / folder / name)


def other_folder(root):
    photo = ck_plus_file(root, "image", 2)
    photo.rename(photo.parents[1] / "002" / photo.name)


SAME = Lost(0)
NO_POINTS = Lost(1, {"frame without its 68 points": 1})
POINTS = {
    "one line less": lambda text: text.partition("\n")[2],
    "a third column": lambda text: text.replace("\n", " 1.0\n"),
    "another delimiter": lambda text: ";".join(text.split()),
    "no number": lambda text: text.replace("e+01", "e+99999", 1),
}
# A sequence that is left out for its label is not looked at frame by frame.
BETWEEN = "frame that is neither the first nor the peak"
NO_NUMBER = Lost(2, {"annotation that is not one number": 1, BETWEEN: -1})
UNKNOWN = Lost(2, {"unknown label": 1, BETWEEN: -1})
FAULTS = {
    "second number": (write("label", b"3.0 4.0"), NO_NUMBER),
    "comma for a point": (write("label", b"3,0"), NO_NUMBER),
    "half a number": (write("label", b"3.5"), NO_NUMBER),
    "infinite number": (write("label", b"1e999"), NO_NUMBER),
    "no UTF-8": (write("label", b"\xff\xfe3"), NO_NUMBER),
    "empty annotation": (write("label", b""), NO_NUMBER),
    "CRLF in a label": (write("label", b"   1.0\r\n"), SAME),
    "number of no expression": (write("label", b"9.0"), UNKNOWN),
    "neutral label": (write("label", b"0.0"), UNKNOWN),
    "second label that agrees": (
        lambda root: put(ck_plus_file(root, "label").with_suffix(".TXT"), "1.0"),
        Lost(0, {"second file of a frame": 1}),
    ),
    "second label that contradicts": (
        lambda root: put(ck_plus_file(root, "label", 2), "1.0"),
        Lost(2, {"rows that contradict each other": 2, BETWEEN: -1}),
    ),
    "label of a frame that is not there": (
        unlink("image", 3),
        Lost(2, {"annotation without an image file": 1, BETWEEN: -1}),
    ),
    "sequence of one frame": (
        unlink("image", 1, 2),
        Lost(1, {"peak without a frame before it": 1, BETWEEN: -1}),
    ),
    "frame of another sequence": (
        other_folder,
        Lost(0, {"file whose name tells no frame of its folder": 1, BETWEEN: -1}),
    ),
    "missing points": (unlink("points", 3), NO_POINTS),
    "points that are all one": (write("points", b"5.0 5.0\n" * 68), NO_POINTS),
    "empty points": (write("points", b"", 1), NO_POINTS),
    "points off the picture": (
        write("points", lambda text: text.replace("e+01", "e+03")),
        Lost(1, {"unreadable image": 1}),
    ),
    "letters that are no ASCII": (not_ascii, SAME),
} | {
    f"points with {fault}": (write("points", edit), NO_POINTS)
    for fault, edit in POINTS.items()
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nothing_else_is_lost(fault, made):
    breaks, wanted = FAULTS[fault]
    breaks(made.root)
    assert outcome(made) == wanted


def test_a_folder_without_labels_is_said(made):
    for note in (made.root / "Emotion").rglob("*.txt"):
        note.unlink()
    with pytest.raises(DataError, match=r"no sequence of CK\+ .*label: 26\); give"):
        data.load("ck_plus", made.root)
