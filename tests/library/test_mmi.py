"""MMI: tables of frames and videos, the frames that are read, damaged annotations."""

import sys

import numpy as np
import pytest
from layouts import Layout, Lost, film, mmi_session, mmi_table, mmi_videos, outcome, put
from PIL import Image

from fersep import data
from fersep.data import DataError
from fersep.data import mmi as reader


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
            reader.read_frame(path, 32, which).mean() for which in ("first", "middle")
        )
        step = 180 / max(frames - 1, 1)
        assert middle - first == pytest.approx(step * (frames // 2), abs=3)


def test_splits_are_by_person(tmp_path):
    made = mmi_videos(tmp_path)
    parts = data.load_splits("mmi", made.root, image_size=16)
    people = [person for part in parts for person in set(part.groups)]
    assert sum(map(len, parts)) == len(made.labels)
    assert sorted(people) == ["S010", "S011", "S012", "S013"]


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


def test_folders_without_a_sequence_are_said(tmp_path):
    (tmp_path / "Sessions").mkdir()
    with pytest.raises(DataError, match="has no sequence of MMI that can be used; a r"):
        data.load("mmi", tmp_path)


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
    if isinstance(wanted, Lost):
        assert outcome(made) == wanted
        return
    with pytest.raises(DataError, match=wanted):
        outcome(made)


# Faults of the videos -----------------------------------------------------------------


def text(name, old, new):
    """Return a fault: other words in an XML file."""

    def fault(folder):
        path = folder / name
        before = path.read_text(encoding="utf-8")
        assert old in before
        put(path, before.replace(old, new))

    return fault


def cut(share):
    """Return a fault: a video of which only the beginning is there."""

    def fault(folder):
        video = film(folder / "S001-001.avi", 1, frames=40)
        content = video.read_bytes()
        video.write_bytes(content[: int(share * len(content))])

    return fault


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
    "empty annotation": (lambda folder: put(folder / NOTE, ""), NO_XML),
    "missing session": (lambda folder: (folder / SESSION).unlink(), NO_VIEW),
    "broken session": (text(SESSION, "</session>", ""), NO_VIEW),
    # Each track names its own video; the side view stands beside the front view.
    "tracks of two videos": (text(SESSION, "</session>", SIDE), Lost(0)),
    "name without a person": (rename, Lost(2, {"video whose name tells no person": 1})),
    "copy of a video": (copy(1), Lost(0, {"row that repeats another": 1})),
    "contradicting copy": (copy(2), Lost(2, {"rows that contradict each other": 2})),
    "video cut short": (cut(0.6), Lost(1, {"unreadable image": 1})),
    "head of a video": (cut(0.02), Lost(2, {"unreadable image": 2})),
}


@pytest.mark.parametrize("fault", VIDEO_FAULTS)
def test_a_fault_of_the_videos_is_named(fault, session):
    made = Layout("mmi", session.parents[1], {}, labels=["0", "5", "0", "1"])
    breaks, wanted = VIDEO_FAULTS[fault]
    breaks(session)
    assert outcome(made) == wanted
