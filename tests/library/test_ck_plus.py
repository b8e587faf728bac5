"""CK+ on a small copy of its layout, whole and broken."""

import re
import unicodedata

import numpy as np
import pytest
from fersep_book import published
from layouts_video import (
    CK_PLUS,
    PEOPLE,
    SAME,
    UNREADABLE,
    Lost,
    ck_plus,
    ck_plus_frame,
    ck_plus_note,
    ck_plus_points,
    landmarks,
    outcome,
    put,
)
from PIL import Image

from fersep import data
from fersep.data import BASIC_CLASSES, DataError
from fersep.data import ck_plus as loader


@pytest.fixture(autouse=True)
def build(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path_factory.mktemp("build")))


@pytest.fixture
def made(tmp_path):
    return ck_plus(tmp_path / "Gesichter für alle")


def test_label_codes_and_counts_are_the_documented_ones():
    assert loader.CODES == CK_PLUS
    assert loader.CONTEMPT == 2
    counts = loader.PUBLISHED["ck_plus"]["all"]
    native = dict(zip(CK_PLUS.values(), (45, 59, 25, 69, 28, 83), strict=True))
    assert counts == native | {"NE": 309}
    assert tuple(counts) == BASIC_CLASSES
    assert sum(native.values()) == published.number("data.ck_plus.sequences")
    contempt = published.number("data.ck_plus.contempt")
    labeled = published.number("data.ck_plus.labeled")
    assert sum(native.values()) + contempt == labeled


def test_first_frames_are_neutral_and_last_ones_show_the_label(made):
    listing = loader.list_images("ck_plus", made.root)
    found = {
        path.stem: (listing.classes[label], person)
        for path, label, person in zip(
            listing.paths, listing.labels, listing.groups, strict=True
        )
    }
    wanted = {}
    for p in range(PEOPLE):
        for s, code in enumerate(CK_PLUS.values(), start=1):
            person = f"S{10 + p:03d}"
            wanted[f"{person}_{s:03d}_00000001"] = ("NE", person)
            wanted[f"{person}_{s:03d}_00000003"] = (code, person)
    assert found == wanted
    assert outcome(made) == SAME


def test_splits_are_by_person_and_the_whole_is_one_call(made):
    parts = data.load_splits("ck_plus", made.root, image_size=16)
    people = [set(part.groups) for part in parts]
    assert sum(map(len, parts)) == made.images
    assert sum(map(len, people)) == PEOPLE
    assert all(part.classes == BASIC_CLASSES for part in parts)
    whole = data.whole("ck_plus", made.root, image_size=16)
    assert len(whole) == made.images
    assert set(whole.groups) == set.union(*people)
    assert whole.classes == BASIC_CLASSES
    assert sorted(whole.images.sum((1, 2, 3)).tolist()) == sorted(
        total for part in parts for total in part.images.sum((1, 2, 3)).tolist()
    )
    assert not whole.card.redistributable


def test_folders_of_the_archives_are_found(made):
    for above, folder in (
        ("extended-cohn-kanade-images", "cohn-kanade-images"),
        ("Emotion_labels", "Emotion"),
    ):
        (made.root / above).mkdir()
        (made.root / folder).rename(made.root / above / folder)
    (made.root / "Landmarks").rename(made.root / "points")
    (made.root / "Landmarks").mkdir()
    (made.root / "points").rename(made.root / "Landmarks" / "Landmarks")
    assert outcome(made) == SAME


@pytest.mark.parametrize("degrees", [0, 17, -30])
@pytest.mark.parametrize("middle", [(320, 240), (70, 60), (600, 450)])
def test_eyes_are_level_and_the_face_fills_the_square(tmp_path, degrees, middle):
    points = landmarks(middle, 100, degrees)
    sheet = np.zeros((490, 640, 3), dtype=np.uint8)
    for eye in (points[36:42], points[42:48]):
        x, y = eye.mean(0).round().astype(int)
        if 5 < x < 635 and 5 < y < 485:
            sheet[y - 5 : y + 6, x - 5 : x + 6, 0] = 255
    Image.fromarray(sheet).save(tmp_path / "face.png")
    square = loader.face_square(points)
    assert square[2] == pytest.approx(1.3 * 180, abs=1)
    assert square[3] == pytest.approx(degrees, abs=0.01)
    face = loader.read_face(tmp_path / "face.png", 100, square)
    assert face.shape == (3, 100, 100)
    rows, columns = np.nonzero(face[0] > 100)
    for side, x in (((columns < 50), 33), ((columns >= 50), 67)):
        if side.any():
            assert columns[side].mean() == pytest.approx(x, abs=1.5)
            assert rows[side].mean() == pytest.approx(rows.mean(), abs=1.5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_every_color_mode_becomes_rgb(tmp_path, mode):
    Image.new("L", (64, 64), 255).convert(mode).save(tmp_path / "a.png")
    face = loader.read_face(tmp_path / "a.png", 16, (32, 32, 30, 3))
    assert face.shape == (3, 16, 16)
    assert face.min() == 255


def test_squares_off_the_picture_are_not_read(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    for square in ((-1, 9, 20, 0), (9, 64, 20, 0), (9, 9, 1e9, 0)):
        assert loader.read_face(tmp_path / "a.png", 16, square) is None


FIRST = ("S010", "001", 1)
PEAK = ("S010", "001", 3)


def relabel(text):
    return lambda root: put(ck_plus_note(root, *PEAK), text)


def points(text, frame=PEAK):
    return lambda root: put(ck_plus_points(root, *frame), text)


def edit_points(change):
    def fault(root):
        path = ck_plus_points(root, *PEAK)
        path.write_bytes(change(path.read_bytes()))

    return fault


def truncated(root):
    photo = ck_plus_frame(root, *PEAK)
    photo.write_bytes(photo.read_bytes()[:-200])


def upper_case(root):
    for path in (ck_plus_frame(root, *PEAK), ck_plus_note(root, *PEAK)):
        path.rename(path.with_suffix(path.suffix.upper()))


def not_ascii(root):
    """A person Ä, once as one sign and once as two."""
    forms = zip(loader.FOLDERS, ("NFC", "NFD", "NFC"), strict=True)
    for folder, form in forms:
        name = unicodedata.normalize(form, "SÄ")
        for path in sorted((root / folder).rglob("S010*")):
            if path.is_file():
                path.rename(path.with_name(path.name.replace("S010", name)))
        (root / folder / "S010").rename(root / folder / name)


def second_label(code, frame):
    return lambda root: put(ck_plus_note(root, "S010", "001", frame), code)


def link(inside):
    def fault(root):
        photo = ck_plus_frame(root, *PEAK)
        real = (root if inside else root.parent) / "real.png"
        photo.rename(real)
        photo.symlink_to(real)

    return fault


def loop(root):
    place = root / "cohn-kanade-images" / "S010"
    (place / "loop").symlink_to(place, target_is_directory=True)


def other_folder(root):
    photo = ck_plus_frame(root, "S010", "001", 2)
    photo.rename(root / "cohn-kanade-images" / "S010" / "002" / photo.name)


def one_frame(root):
    for frame in (1, 2):
        ck_plus_frame(root, "S010", "001", frame).unlink()


NO_POINTS = Lost(1, {"frame without its 68 points": 1})
NO_NUMBER = Lost(2, {"annotation that is not one number": 1})
UNKNOWN = Lost(2, {"unknown label": 1})
BETWEEN = "frame that is neither the first nor the peak"
UNLABELED = "sequence without a label"
WITH_NO_LABEL = {BETWEEN: -1, UNLABELED: 1}

FAULTS = {
    "missing annotation": (
        lambda root: ck_plus_note(root, *PEAK).unlink(),
        Lost(2, WITH_NO_LABEL),
    ),
    "second number": (relabel("3.0 4.0"), NO_NUMBER),
    "comma for a point": (relabel("3,0"), NO_NUMBER),
    "half a number": (relabel("3.5"), NO_NUMBER),
    "infinite number": (relabel("1e999"), NO_NUMBER),
    "no UTF-8": (
        lambda root: ck_plus_note(root, *PEAK).write_bytes(b"\xff\xfe3"),
        NO_NUMBER,
    ),
    "empty annotation": (relabel(""), NO_NUMBER),
    "CRLF in a label": (relabel("   1.0\r\n"), SAME),
    "unknown label": (relabel("9.0"), UNKNOWN),
    "neutral label": (relabel("0.0"), UNKNOWN),
    "repeated label": (second_label("1.0", 3), SAME),
    "second label that agrees": (
        lambda root: put(
            ck_plus_note(root, *PEAK).with_suffix(".TXT"), "   1.0000000e+00\n"
        ),
        Lost(0, {"second file of a frame": 1}),
    ),
    "second label that contradicts": (
        second_label("1.0", 2),
        Lost(2, {"rows that contradict each other": 2, BETWEEN: -1}),
    ),
    "label of a frame that is not there": (
        lambda root: ck_plus_frame(root, *PEAK).unlink(),
        Lost(2, {"annotation without an image file": 1, BETWEEN: -1}),
    ),
    "sequence of one frame": (
        one_frame,
        Lost(1, {"peak without a frame before it": 1, BETWEEN: -1}),
    ),
    "frame of another sequence": (
        other_folder,
        Lost(0, {"file whose name tells no frame of its folder": 1, BETWEEN: -1}),
    ),
    "missing points": (lambda root: ck_plus_points(root, *PEAK).unlink(), NO_POINTS),
    "points of one line less": (
        edit_points(lambda b: b"\n".join(b.splitlines()[1:])),
        NO_POINTS,
    ),
    "points with a third column": (
        edit_points(lambda b: b.replace(b"\n", b" 1.0\n")),
        NO_POINTS,
    ),
    "points with another delimiter": (
        edit_points(lambda b: b";".join(b.split())),
        NO_POINTS,
    ),
    "points with CRLF": (edit_points(lambda b: b.replace(b"\n", b"\r\n")), SAME),
    "points that are no number": (
        edit_points(lambda b: b.replace(b"e+01", b"e+99999", 1)),
        NO_POINTS,
    ),
    "points that are all one": (points("5.0 5.0\n" * 68), NO_POINTS),
    "empty points": (points("", FIRST), NO_POINTS),
    "points off the picture": (
        edit_points(lambda b: b.replace(b"e+01", b"e+03")),
        UNREADABLE,
    ),
    "truncated image": (truncated, UNREADABLE),
    "empty image": (
        lambda root: ck_plus_frame(root, *FIRST).write_bytes(b""),
        UNREADABLE,
    ),
    "text beside the images": (
        lambda root: put(root / "cohn-kanade-images" / "readme.txt", "x"),
        Lost(0, {"file that is no image": 1}),
    ),
    "letters that are no ASCII": (not_ascii, SAME),
    "upper-case endings": (upper_case, SAME),
    "link inside": (link(inside=True), SAME),
    "link outside": (
        link(inside=False),
        Lost(
            2,
            {
                "link that leaves the root": 1,
                "annotation without an image file": 1,
                BETWEEN: -1,
            },
        ),
    ),
    "link to a folder above": (loop, Lost(0, {"link to a folder it stands in": 1})),
}
# A sequence that is left out for its label is not looked at frame by frame.
for one in (NO_NUMBER, UNKNOWN):
    one.reasons[BETWEEN] = -1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nothing_else_is_lost(fault, made):
    breaks, wanted = FAULTS[fault]
    breaks(made.root)
    assert outcome(made) == wanted


@pytest.mark.parametrize("folder", loader.FOLDERS)
def test_a_missing_folder_is_named(folder, made):
    (made.root / folder).rename(made.root / "elsewhere")
    with pytest.raises(DataError, match=rf"{folder} is missing; give the folder of"):
        data.load("ck_plus", made.root)


def test_a_folder_without_labels_is_said(made):
    for path in (made.root / "Emotion").rglob("*.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"no sequence of CK\+ .*label: 26\); give"):
        data.load("ck_plus", made.root)


def test_names_of_unreadable_frames_are_said(made):
    truncated(made.root)
    name = re.escape(ck_plus_frame(made.root, *PEAK).name)
    with pytest.warns(UserWarning, match=rf"1 images of ck_plus .*{name}; repair"):
        data.load("ck_plus", made.root, image_size=16)
