"""Sequences of CK+ and MMI: the frames that are read, and damaged annotations."""

import sys
import unicodedata

import layouts
import numpy as np
import pytest
from layouts import (
    Layout,
    Lost,
    ck_plus_file,
    expect,
    face_points,
    film,
    mmi_session,
    mmi_table,
    outcome,
    put,
)
from PIL import Image

from fersep import data
from fersep.data import DataError, ck_plus, mmi

# CK+ ----------------------------------------------------------------------------------


@pytest.fixture
def ck(tmp_path):
    return layouts.ck_plus(tmp_path / "Gesichter für alle")


def test_folders_of_the_archives_are_found(ck):
    for folder, above in ck_plus.FOLDERS.items():
        (ck.root / folder).rename(ck.root / "moved")
        (ck.root / above).mkdir()
        (ck.root / "moved").rename(ck.root / above / folder)
    assert outcome(ck) == Lost(0)


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
    square = ck_plus.face_square(points)
    assert square[2] == pytest.approx(1.3 * 180, abs=1)
    assert square[3] == pytest.approx(degrees, abs=0.01)
    face = ck_plus.read_face(tmp_path / "face.png", 100, square)
    assert face.shape == (3, 100, 100)
    rows, columns = np.nonzero(face[0] > 100)
    for side, x in (((columns < 50), 33), ((columns >= 50), 67)):
        if side.any():
            assert columns[side].mean() == pytest.approx(x, abs=1.5)
            assert rows[side].mean() == pytest.approx(rows.mean(), abs=1.5)


def test_squares_off_the_picture_are_not_read(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    for square in ((-1, 9, 20, 0), (9, 64, 20, 0), (9, 9, 1e9, 0)):
        assert ck_plus.read_face(tmp_path / "a.png", 16, square) is None


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
    for folder, form in zip(ck_plus.FOLDERS, ("NFC", "NFD", "NFC"), strict=True):
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
# A sequence that is left out for its label is not looked at frame by frame.
BETWEEN = "frame that is neither the first nor the peak"
NO_NUMBER = Lost(2, {"annotation that is not one number": 1, BETWEEN: -1})
UNKNOWN = Lost(2, {"unknown label": 1, BETWEEN: -1})
CK_PLUS_FAULTS = {
    "comma for a point": (write("label", b"3,0"), NO_NUMBER),
    "no UTF-8": (write("label", b"\xff\xfe3"), NO_NUMBER),
    "number of no expression": (write("label", b"9.0"), UNKNOWN),
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
    "points off the picture": (
        write("points", lambda text: text.replace("e+01", "e+03")),
        Lost(1, {"unreadable image": 1}),
    ),
    "one point less": (
        write("points", lambda text: text.partition("\n")[2]),
        NO_POINTS,
    ),
    "a point that is no number": (
        write("points", lambda text: text.replace("e+01", "e+99999", 1)),
        NO_POINTS,
    ),
    "letters that are no ASCII": (not_ascii, SAME),
}


@pytest.mark.parametrize("fault", CK_PLUS_FAULTS)
def test_a_fault_of_ck_plus_is_named(fault, ck):
    breaks, wanted = CK_PLUS_FAULTS[fault]
    breaks(ck.root)
    expect(ck, wanted)


def test_a_folder_without_labels_is_said(ck):
    for note in (ck.root / "Emotion").rglob("*.txt"):
        note.unlink()
    with pytest.raises(DataError, match=r"no sequence of CK\+ .*label: 26\); give"):
        data.load("ck_plus", ck.root)


# MMI ----------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path):
    return mmi_table(tmp_path / "Gesichter für alle")


@pytest.fixture
def session(tmp_path):
    """A folder of one video beside one of another person."""
    root = tmp_path / "Gesichter für alle"
    mmi_session(root, 500, "S005-001", 'Emotion" Value="5')
    return mmi_session(root, 101, "S001-001", 'Emotion" Value="1').parent


def test_first_and_middle_frame_are_read(tmp_path):
    for frames in (1, 2, 5, 6):
        path = film(tmp_path / f"ä {frames}.avi", 3, frames=frames)
        first, middle = (
            mmi.read_frame(path, 32, which).mean() for which in ("first", "middle")
        )
        step = 180 / max(frames - 1, 1)
        assert middle - first == pytest.approx(step * (frames // 2), abs=3)


BOX = "left,top,right,bottom"


def test_a_box_in_the_table_cuts_the_face_out_of_both_frames(made):
    made.rows[0] += f",{BOX}"
    made.rows[1:] = [f"{row},4,8,20,24" for row in made.rows[1:]]
    made.write()
    whole = data.whole("mmi", made.root, image_size=16)
    for path, image in zip(made.photos, whole.images, strict=True):
        with Image.open(path) as photo:
            frame = np.asarray(photo).transpose(2, 0, 1)
        np.testing.assert_array_equal(image, frame[:, 8:24, 4:20])


def test_without_a_package_videos_are_refused_and_frames_are_not(
    tmp_path, session, monkeypatch
):
    monkeypatch.setitem(sys.modules, "av", None)
    assert outcome(mmi_table(tmp_path / "frames")) == Lost(0)
    with pytest.raises(DataError, match=r"pip install fersep\[video\]; or take .* fra"):
        data.load("mmi", session.parents[1])


# Faults of the table ------------------------------------------------------------------


def cell(at, text):
    """Return a fault: another cell in the first row."""
    return lambda made: made.set_cell(at, text)


def add(first, others):
    """Return a fault: the columns of a box, with cells in the first and other rows."""

    def fault(made):
        cells = [BOX, first] + [others] * (len(made.rows) - 2)
        made.rows = [",".join(row) for row in zip(made.rows, cells, strict=True)]
        made.write()

    return fault


def short_row(made):
    made.rows[1] = made.rows[1].rpartition(",")[0]
    made.write()


SPARE = "image file without a row"
NO_BOX = "row whose box is not four numbers"
FIRST = "frames/S010/001_1.png"
TABLE_FAULTS = {
    "missing value": (short_row, Lost(2, {"row without an image file": 1, SPARE: 1})),
    "empty table": (lambda made: made.table.write_bytes(b""), "needs the columns sess"),
    "no person": (cell(1, ""), Lost(2, {"row without a session or a person": 1})),
    "one frame twice": (
        cell(4, FIRST),
        Lost(2, {"row that names one image twice": 1, SPARE: 1}),
    ),
    "box of three numbers": (
        add("1,2,3,", "1,2,3,"),
        f"no sequence .*{NO_BOX}: 24\\); a row",
    ),
    "box that is turned over": (add("9,9,3,3", ",,,"), Lost(2, {NO_BOX: 1})),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_fault_of_the_table_is_named(fault, made):
    breaks, wanted = TABLE_FAULTS[fault]
    breaks(made)
    expect(made, wanted)


# Faults of the videos -----------------------------------------------------------------


def text(name, old, new):
    """Return a fault: other words in an XML file."""

    def fault(folder):
        path = folder / name
        before = path.read_text(encoding="utf-8")
        assert old in before
        put(path, before.replace(old, new))

    return fault


def cut(folder):
    """Keep only the beginning of a video."""
    video = film(folder / "S001-001.avi", 1, frames=40)
    content = video.read_bytes()
    video.write_bytes(content[: int(0.6 * len(content))])


def copy(code):
    """Return a fault: the same video in another session."""
    tag = f'Emotion" Value="{code}'
    return lambda folder: mmi_session(folder.parents[1], 102, "S001-001", tag)


def rename(folder):
    for path in folder.glob("S001*"):
        path.rename(path.with_name(path.name.replace("S001-", "Süd-")))


NOTE, SESSION = "S001-001.xml", "session.xml"
EMOTION = '"Emotion" Value="1"'
NO_XML = Lost(2, {"annotation that is no XML": 1})
NO_VIEW = Lost(2, {"video whose view is not told": 1})
SIDE = '<track view="1" filename="b.avi"/></session>'
VIDEO_FAULTS = {
    "two emotions": (
        text(NOTE, "</annotation>", '<Metatag Name="Emotion" Value="2"/></annotation>'),
        Lost(2, {"annotation with more than one emotion": 1}),
    ),
    "one emotion twice": (
        text(NOTE, "</annotation>", f"<Metatag Name={EMOTION}/></annotation>"),
        Lost(0),
    ),
    "namespace and CRLF": (
        text(NOTE, "\n<annotation>", '\r\n<annotation xmlns="urn:mmi">'),
        Lost(0),
    ),
    "broken annotation": (text(NOTE, "</annotation>", ""), NO_XML),
    "unknown encoding": (text(NOTE, '"1.0"', '"1.0" encoding="klingon"'), NO_XML),
    "broken session": (text(SESSION, "</session>", ""), NO_VIEW),
    # Each track names its own video; the side view stands beside the front view.
    "tracks of two videos": (text(SESSION, "</session>", SIDE), Lost(0)),
    "name without a person": (rename, Lost(2, {"video whose name tells no person": 1})),
    "copy of a video": (copy(1), Lost(0, {"row that repeats another": 1})),
    "contradicting copy": (copy(2), Lost(2, {"rows that contradict each other": 2})),
    "video cut short": (cut, Lost(1, {"unreadable image": 1})),
}


@pytest.mark.parametrize("fault", VIDEO_FAULTS)
def test_a_fault_of_the_videos_is_named(fault, session):
    made = Layout("mmi", session.parents[1], {}, labels=["0", "5", "0", "1"])
    breaks, wanted = VIDEO_FAULTS[fault]
    breaks(session)
    expect(made, wanted)
