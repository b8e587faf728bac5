"""MMI on small copies of its two layouts, whole and broken."""

import sys
import unicodedata

import numpy as np
import pytest
from fersep_book import published
from layouts import draw
from layouts_video import (
    MMI,
    PEOPLE,
    SAME,
    UNREADABLE,
    Lost,
    Made,
    film,
    mmi_session,
    mmi_table,
    mmi_videos,
    outcome,
    put,
)
from PIL import Image

from fersep import data
from fersep.data import BASIC_CLASSES, DataError
from fersep.data import mmi as loader

LAYOUTS = {"table": mmi_table, "videos": mmi_videos}


@pytest.fixture(autouse=True)
def build(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path_factory.mktemp("build")))


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """The folder of videos, written once."""
    root = tmp_path_factory.mktemp("mmi") / "Gesichter für alle"
    return mmi_videos(root)


@pytest.fixture
def made(tmp_path):
    return mmi_table(tmp_path / "Gesichter für alle")


def session(root, number=101, stem="S001-001"):
    """Write one session more beside one of another person; return its folder."""
    mmi_session(root, 500, "S005-001", 5)
    return mmi_session(root, number, stem, 1).parent


def test_label_codes_and_counts_are_the_documented_ones():
    assert loader.CODES == MMI
    counts = loader.PUBLISHED["mmi"]["all"]
    native = dict(zip(MMI.values(), (31, 32, 28, 42, 32, 40), strict=True))
    assert counts == native | {"NE": 205}
    assert tuple(counts) == BASIC_CLASSES
    assert sum(native.values()) == published.number("data.mmi.sequences")


def test_every_sequence_gives_a_neutral_frame_and_a_peak(made, films):
    for layout in (made, films):
        listing = loader.list_images("mmi", layout.root)
        wanted = [
            (code, f"S{p + 1:03d}")
            for p in range(PEOPLE)
            for label in MMI.values()
            for code in ("NE", label)
        ]
        found = [
            (listing.classes[label], person)
            for label, person in zip(listing.labels, listing.groups, strict=True)
        ]
        assert sorted(found) == sorted(wanted)
        assert outcome(layout) == SAME


def test_first_and_middle_frame_are_read(tmp_path):
    for frames in (1, 2, 5, 6):
        path = film(tmp_path / f"ä {frames}.avi", 3, frames=frames)
        shades = [
            loader.read_frame(path, 32, which).mean() for which in ("first", "middle")
        ]
        step = 180 / max(frames - 1, 1)
        assert shades[1] - shades[0] == pytest.approx(step * (frames // 2), abs=3)


def test_splits_are_by_person(films):
    parts = data.load_splits("mmi", films.root, image_size=16)
    people = [set(part.groups) for part in parts]
    assert sum(map(len, parts)) == films.images
    assert sum(map(len, people)) == PEOPLE
    assert not parts[0].card.redistributable
    assert len(data.whole("mmi", films.root, image_size=16)) == films.images


def test_a_box_in_the_table_cuts_the_face_out_of_both_frames(made):
    made.rows[0] += f",{BOX}"
    made.rows[1:] = [f"{row},4,8,20,24" for row in made.rows[1:]]
    made.write()
    assert outcome(made) == SAME
    whole = data.whole("mmi", made.root, image_size=16)
    listing = loader.list_images("mmi", made.root)
    for path, image in zip(listing.paths[:4], whole.images[:4], strict=True):
        with Image.open(path) as photo:
            frame = np.asarray(photo).transpose(2, 0, 1)
        np.testing.assert_array_equal(image, frame[:, 8:24, 4:20])


def test_without_a_reader_videos_are_refused_and_frames_are_not(
    made, tmp_path, monkeypatch
):
    session(tmp_path)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r"pip install fersep.video.; or take .* frames\.csv"):
        data.load("mmi", tmp_path)
    assert outcome(made) == SAME


def test_folders_of_neither_layout_are_named(tmp_path):
    with pytest.raises(DataError, match=r"neither frames\.csv nor the folder Sessions"):
        data.load("mmi", tmp_path)
    (tmp_path / "Sessions").mkdir()
    with pytest.raises(DataError, match="has no sequence of MMI that can be used; a r"):
        data.load("mmi", tmp_path)


# Faults of the table ------------------------------------------------------------------


def cell(number, text):
    """Write another cell into the first row."""

    def fault(made):
        cells = made.rows[1].split(",")
        cells[number] = text
        made.rows[1] = ",".join(cells)
        made.write()

    return fault


def each_row(change):
    def fault(made):
        made.rows = [change(i, row) for i, row in enumerate(made.rows)]
        made.write()

    return fault


def more(row):
    def fault(made):
        made.rows.append(row or made.rows[1])
        made.write()

    return fault


def without(number):
    def fault(made):
        del made.rows[number]
        made.write()

    return fault


def photo(made):
    return made.root / "frames" / "1" / "40.png"


def moved(target):
    def fault(made):
        old, new = photo(made), target(made)
        old.rename(new)
        if new.suffix != ".PNG":
            old.symlink_to(new)

    return fault


def not_ascii(made):
    name = unicodedata.normalize("NFD", "Höhe.png")
    photo(made).rename(photo(made).with_name(name))
    cell(4, "frames/1/" + unicodedata.normalize("NFC", name))(made)


def leaves_the_root(made):
    draw(made.root.parent / "outside.png", 1)
    cell(4, "../outside.png")(made)


def loop(made):
    place = made.root / "frames"
    (place / "loop").symlink_to(place, target_is_directory=True)


BOX = "left,top,right,bottom"
SPARE = "image file without a row"
COLUMNS = "needs the columns session and person and emotion"
TABLE_FAULTS = {
    "missing annotation": (without(1), Lost(2, {SPARE: 2})),
    "extra column": (each_row(lambda i, r: f"{r},{'x' if i else 'more'}"), SAME),
    "extra value": (each_row(lambda i, r: r + ",x" if i else r), SAME),
    "missing value": (
        each_row(lambda i, r: r if i != 1 else r.rpartition(",")[0]),
        Lost(2, {"row without an image file": 1, SPARE: 1}),
    ),
    "wrong delimiter": (each_row(lambda i, r: r.replace(",", ";")), COLUMNS),
    "CRLF": (lambda made: made.write(end="\r\n"), SAME),
    "missing header": (without(0), COLUMNS),
    "empty table": (lambda made: made.table.write_bytes(b""), COLUMNS),
    "no UTF-8": (
        lambda made: made.table.write_bytes(made.table.read_bytes() + b"\n\xe4"),
        "line 26 of .* is not UTF-8 text; save",
    ),
    "unknown label": (cell(2, "9"), Lost(2, {"unknown label": 1})),
    "label in words": (cell(2, "anger"), Lost(2, {"unknown label": 1})),
    "no person": (cell(1, ""), Lost(2, {"row without a session or a person": 1})),
    "duplicate row": (more(""), Lost(0, {"row that repeats another": 1})),
    "contradicting row": (
        more("1,S001,2,frames/1/1.png,frames/1/40.png"),
        Lost(2, {"rows that contradict each other": 2}),
    ),
    "one frame twice": (
        cell(4, "frames/1/1.png"),
        Lost(2, {"row that names one image twice": 1, SPARE: 1}),
    ),
    "missing frame": (
        lambda made: photo(made).unlink(),
        Lost(2, {"row without an image file": 1}),
    ),
    "box of three numbers": (
        each_row(lambda i, r: f"{r},{'1,2,3,' if i else BOX}"),
        "no sequence .*row whose box is not four numbers: 24\\); a row",
    ),
    "box that is turned over": (
        each_row(lambda i, r: f"{r},{ {0: BOX, 1: '9,9,3,3'}.get(i, ',,,') }"),
        Lost(2, {"row whose box is not four numbers": 1}),
    ),
    "truncated image": (
        lambda made: photo(made).write_bytes(photo(made).read_bytes()[:-300]),
        UNREADABLE,
    ),
    "empty image": (lambda made: photo(made).write_bytes(b""), UNREADABLE),
    "path that leaves the root": (
        leaves_the_root,
        Lost(2, {"row that leaves the root": 1, SPARE: 1}),
    ),
    "letters that are no ASCII": (not_ascii, SAME),
    "upper-case ending": (moved(lambda made: photo(made).with_suffix(".PNG")), SAME),
    "link inside": (moved(lambda made: made.root / ".real.png"), SAME),
    "link outside": (
        moved(lambda made: made.root.parent / "real.png"),
        Lost(2, {"link that leaves the root": 1, "row without an image file": 1}),
    ),
    "link to a folder above": (loop, Lost(0, {"link to a folder it stands in": 1})),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_fault_of_the_table_is_named(fault, made):
    breaks, wanted = TABLE_FAULTS[fault]
    breaks(made)
    if isinstance(wanted, str):
        with pytest.raises(DataError, match=wanted) as caught:
            outcome(made)
        assert "\n" not in str(caught.value)
        return
    assert outcome(made) == wanted


# Faults of the videos -----------------------------------------------------------------


def text(name, old, new):
    def fault(folder):
        path = folder / name
        path.write_text(path.read_text().replace(old, new), encoding="utf-8")

    return fault


def unlink(*names):
    def fault(folder):
        for name in names:
            (folder / name).unlink()

    return fault


def cut_video(share):
    def fault(folder):
        video = film(folder / "S001-001.avi", 1, frames=40)
        content = video.read_bytes()
        video.write_bytes(content[: int(share * len(content))])

    return fault


def upper_case_video(folder):
    (folder / "S001-001.avi").rename(folder / "S001-001.AVI")


def copied(code):
    """Put the same video into another session."""
    return lambda folder: mmi_session(folder.parents[1], 102, "S001-001", code)


def linked(inside):
    def fault(folder):
        video = folder / "S001-001.avi"
        real = (folder if inside else folder.parents[2]) / ".real.avi"
        video.rename(real)
        video.symlink_to(real)

    return fault


def renamed(folder):
    for path in folder.glob("S001*"):
        path.rename(path.with_name(path.name.replace("S001-", "Süd-")))


def two_tracks(folder):
    """Each track names its own video; the side view stands beside the front view."""
    text("session.xml", "</session>", '<track view="1" filename="b.avi"/></session>')(
        folder
    )


NOTE, SESSION = "S001-001.xml", "session.xml"
VIDEO_FAULTS = {
    "missing annotation": (unlink(NOTE), Lost(2, {"video without an annotation": 1})),
    "annotation without a video": (
        unlink("S001-001.avi"),
        Lost(2, {"annotation without a video": 2}),
    ),
    "no emotion": (
        text(NOTE, "Emotion", "Mood"),
        Lost(2, {"annotation with no emotion": 1}),
    ),
    "two emotions": (
        text(NOTE, "</annotation>", '<Metatag Name="Emotion" Value="2"/></annotation>'),
        Lost(2, {"annotation with more than one emotion": 1}),
    ),
    "one emotion twice": (
        text(NOTE, "</annotation>", '<Metatag Name="Emotion" Value="1"/></annotation>'),
        SAME,
    ),
    "namespace and CRLF": (
        text(NOTE, "\n<annotation>", '\r\n<annotation xmlns="urn:mmi">'),
        SAME,
    ),
    "unknown label": (
        text(NOTE, '"Emotion" Value="1"', '"Emotion" Value="anger"'),
        Lost(2, {"unknown label": 1}),
    ),
    "other emotion": (
        text(NOTE, '"Emotion" Value="1"', '"Emotion" Value="7"'),
        Lost(2, {"emotion that is none of the six basic ones": 1}),
    ),
    "broken annotation": (
        text(NOTE, "</annotation>", ""),
        Lost(2, {"annotation that is no XML": 1}),
    ),
    "annotation in an unknown encoding": (
        text(NOTE, '"1.0"', '"1.0" encoding="klingon"'),
        Lost(2, {"annotation that is no XML": 1}),
    ),
    "empty annotation": (
        lambda folder: put(folder / NOTE, ""),
        Lost(2, {"annotation that is no XML": 1}),
    ),
    "missing session": (unlink(SESSION), Lost(2, {"video whose view is not told": 1})),
    "broken session": (
        text(SESSION, "</session>", ""),
        Lost(2, {"video whose view is not told": 1}),
    ),
    "side view": (
        text(SESSION, 'view="0"', 'view="1"'),
        Lost(2, {"video that is not from the front alone": 1}),
    ),
    "tracks of two videos": (two_tracks, SAME),
    "name that tells no person": (
        renamed,
        Lost(2, {"video whose name tells no person": 1}),
    ),
    "copy of a video": (copied(1), Lost(0, {"row that repeats another": 1})),
    "copy with another emotion": (
        copied(2),
        Lost(2, {"rows that contradict each other": 2}),
    ),
    "video cut short": (cut_video(0.6), UNREADABLE),
    "head of a video": (cut_video(0.02), Lost(2, {"unreadable image": 2})),
    "empty video": (cut_video(0), Lost(2, {"unreadable image": 2})),
    "text beside the videos": (
        lambda folder: put(folder / "readme.txt", "x"),
        Lost(0, {"file that is no image": 1}),
    ),
    "upper-case ending": (upper_case_video, SAME),
    "link inside": (linked(inside=True), SAME),
    "link outside": (
        linked(inside=False),
        Lost(2, {"link that leaves the root": 1, "annotation without a video": 2}),
    ),
}


@pytest.mark.parametrize("fault", VIDEO_FAULTS)
def test_a_fault_of_the_videos_is_named(fault, tmp_path):
    root = tmp_path / "Gesichter für alle"
    folder = session(root)
    made = Made("mmi", root, 4)
    breaks, wanted = VIDEO_FAULTS[fault]
    breaks(folder)
    assert outcome(made) == wanted
