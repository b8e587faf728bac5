"""Loaders of photographs on small copies of their layouts, whole and broken."""

from __future__ import annotations

import importlib
import re
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from fersep_book import published
from layouts import LAYOUTS, Layout, draw, picture
from PIL import Image

from fersep import data
from fersep.data import (
    BASIC_CLASSES,
    COMPOUND_CLASSES,
    DataError,
    affectnet,
    fer2013,
    images,
    raf_db,
    splits,
)

EACH_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture(autouse=True)
def build(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("build")
    monkeypatch.setenv("FERSEP_BUILD", str(folder))
    return folder


def written(layout: str, tmp_path: Path) -> Layout:
    # A space and a letter that is no ASCII stand in every path of every test.
    return LAYOUTS[layout](tmp_path / "Gesichter für alle")


def survey(layout: Layout) -> data.Photographs:
    return data.survey(layout.name, layout.root, 16)


def total(found: data.Photographs) -> int:
    return sum(sum(classes.values()) for classes in found.counts.values())


# What the layouts mean, whole ---------------------------------------------------------

#: As the data sets document them; counts in the order of their own codes.
NATIVE = """
raf_db_basic    1 SU, 2 FE, 3 DI, 4 HA, 5 SA, 6 AN, 7 NE
train           1290 281 717 4772 1982 705 2524     12271
test            329 74 160 1185 478 162 680         3068
raf_db_compound 1 HS, 2 HD, 3 SF, 4 SA, 5 SS, 6 SD, 7 FA, 8 FS, 9 AS, 10 AD, 11 DS
train           562 219 107 130 68 597 117 444 138 667 113 3162
test            135 47 22 33 18 141 33 116 38 174 35       792
affectnet       0 NE, 1 HA, 2 SA, 3 SU, 4 FE, 5 DI, 6 AN
train           74874 134415 25459 14090 6378 3803 24882 283901
test            500 500 500 500 500 500 500              3500
fer2013         0 AN, 1 DI, 2 FE, 3 HA, 4 SA, 5 SU, 6 NE
train           3995 436 4097 7215 4830 3171 4965   28709
"""
MODULES = {
    "raf_db_basic": raf_db,
    "raf_db_compound": raf_db,
    "affectnet": affectnet,
    "fer2013": fer2013,
}


def native() -> dict[str, tuple[dict[int, str], dict[str, list[int]]]]:
    found = {}
    for line in NATIVE.strip().splitlines():
        word, rest = line.split(maxsplit=1)
        if word in MODULES:
            codes = {int(n): code for n, code in re.findall(r"(\d+) ([A-Z]+)", rest)}
            found[word] = (codes, {})
            latest = word
        else:
            found[latest][1][word] = [int(n) for n in rest.split()]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_label_maps_and_counts_are_the_documented_ones(name):
    module = MODULES[name]
    codes, numbers = native()[name]
    own = module.CODES[name] if module is raf_db else module.CODES
    assert own == codes
    classes = COMPOUND_CLASSES if name.endswith("compound") else BASIC_CLASSES
    for split, (*each, whole) in numbers.items():
        published = module.PUBLISHED[name][split]
        assert tuple(published) == classes
        assert [published[code] for code in codes.values()] == each
        assert sum(published.values()) == whole


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("raf_db_basic", "rafdb_basic"),
        ("raf_db_compound", "rafdb_compound"),
        ("affectnet", "affectnet"),
    ],
)
def test_counts_are_those_of_the_paper(name, key):
    for split, numbers in MODULES[name].PUBLISHED[name].items():
        assert sum(numbers.values()) == published.number(f"data.{key}.{split}")
    for code, number in MODULES[name].PUBLISHED[name]["train"].items():
        assert number == published.number(f"data.{key}.train.{code}")


def test_public_and_private_test_of_fer2013_add_up():
    published = fer2013.PUBLISHED["fer2013"]
    assert {split: sum(n.values()) for split, n in published.items()} == {
        "train": 28709,
        "validation": 3589,
        "test": 3589,
    }
    both = [
        published["validation"][code] + published["test"][code]
        for code in ("AN", "DI", "FE", "HA", "SA", "SU", "NE")
    ]
    assert both == [958, 111, 1024, 1774, 1247, 831, 1233]


@EACH_LAYOUT
def test_every_image_has_the_class_and_split_of_its_native_label(layout, tmp_path):
    made = written(layout, tmp_path)
    module = importlib.import_module(data.NAMES[made.name])
    listing = module.list_images(made.name, made.root)
    found = {}
    for i, (path, label) in enumerate(zip(listing.paths, listing.labels, strict=True)):
        key = listing.names[i] if listing.names else str(path)
        split = listing.splits[i] if listing.splits else ""
        found[key] = (listing.classes[label], split)
    wanted = {}
    for i, native_label in enumerate(made.labels):
        key = str(made.photos[i]) if made.photos else f"{made.table.name} line {i + 2}"
        split = made.splits[i] if made.splits else ""
        wanted[key] = (made.codes[native_label], split)
    assert found == wanted
    kept = {reason: names for reason, names in listing.skipped.items() if names}
    assert kept == made.expected


@EACH_LAYOUT
def test_a_survey_counts_every_image_by_split_and_class(layout, tmp_path):
    made = written(layout, tmp_path)
    found = survey(made)
    assert found.skipped == made.expected
    assert found.shared == []
    wanted: dict[str, dict[str, int]] = {}
    for i, label in enumerate(made.labels):
        split = made.splits[i] if made.splits else "all"
        row = wanted.setdefault(split, dict.fromkeys(found.classes, 0))
        row[made.codes[label]] += 1
    assert found.counts == wanted
    assert not found.card.redistributable


def test_only_photographs_have_a_survey():
    with pytest.raises(DataError, match="photographs is one of .*; got 'rendered_b"):
        data.survey("rendered_basic", None)


@pytest.mark.parametrize("layout", ["fer2013", "fer2013, icml"])
def test_pixels_of_the_table_are_the_image(layout, tmp_path):
    made = written(layout, tmp_path)
    whole = data.whole("fer2013", made.root)
    for row, image in enumerate(whole.images, start=1):
        for channel in image:
            np.testing.assert_array_equal(channel, layouts.fer2013_pixels(row))


def test_public_test_images_never_enter_training(tmp_path):
    made = written("fer2013", tmp_path)
    train, validation, test = data.load_splits("fer2013", made.root, image_size=16)
    assert [len(part) for part in (train, validation, test)] == [21, 7, 7]


def test_folders_of_fer2013_are_read_in_the_order_of_the_paper(tmp_path):
    words = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for s, split in enumerate(("train", "test")):
        for w, word in enumerate(words):
            for i in range(w + 2):
                draw(tmp_path / split / word / f"{i}.png", 1000 * s + 100 * w + i)
    found = data.survey("fer2013", tmp_path, 16)
    assert found.classes == BASIC_CLASSES
    assert list(found.counts["test"].values()) == [6, 5, 7, 8, 4, 2, 3]
    assert sum(found.published["test"].values()) == 7178
    draw(tmp_path / "train" / "bored" / "0.png", 7)
    with pytest.raises(DataError, match="class folders of .* angry, bored.*; name"):
        data.survey("fer2013", tmp_path, 16)


def test_a_face_is_cut_out_by_its_box(tmp_path):
    whole = np.zeros((900, 1200, 3), dtype=np.uint8)
    whole[..., 1] = 255
    whole[300:500, 700:900] = (255, 0, 0)
    Image.fromarray(whole).save(tmp_path / "a.jpg", quality=100)
    Image.fromarray(whole).save(tmp_path / "a.png")
    # The small size makes the decoder shrink the JPEG, and the box with it.
    for file, size in (("a.jpg", 16), ("a.jpg", 200), ("a.png", 16)):
        face = images.read_image(tmp_path / file, size, (710, 310, 890, 490))
        assert face[0].min() > 235
        assert face[1:].max() < 25
    beyond = images.read_image(tmp_path / "a.png", 16, (-100, -100, 1300, 100))
    assert beyond.shape == (3, 16, 16)
    assert beyond[1].min() == 255
    assert images.read_image(tmp_path / "a.png", 16, (1200, 0, 1300, 90)) is None
    turned = Image.Exif()
    turned[274] = 6  # stored lying: the camera was held upright
    Image.fromarray(whole).save(tmp_path / "r.jpg", quality=100, exif=turned)
    face = images.read_image(tmp_path / "r.jpg", 16, (410, 710, 590, 890))
    assert face[0].min() > 235


@pytest.mark.parametrize(
    "kind", [np.int64, np.int32, np.uint8, np.float32, "<U2", "S1"]
)
def test_annotations_of_any_type_are_read(kind, tmp_path):
    for shape in ((), (1,)):
        np.save(tmp_path / "a.npy", np.full(shape, 5).astype(kind))
        assert affectnet.read_label(tmp_path / "a.npy") == 5


@pytest.mark.parametrize(
    "raw", [b"", b"5", b"\x93NUMPY\x01\x00v\x00{'descr': 'nonsense'}"]
)
def test_broken_annotations_are_no_label(raw, tmp_path):
    (tmp_path / "a.npy").write_bytes(raw)
    assert affectnet.read_label(tmp_path / "a.npy") == -1


def test_an_annotation_runs_no_code(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert affectnet.read_label(tmp_path / "a.npy") == -1


def test_two_faces_of_one_photograph_stay_on_one_side(tmp_path):
    made = written("affectnet", tmp_path)
    cells = made.rows[1].split(",")
    made.rows.append(",".join([cells[0], "0,0,20,20", *cells[5:]]))
    made.write()
    found = survey(made)
    assert total(found) == len(made.labels) + 1
    module = affectnet.list_images("affectnet", made.root)
    assert module.groups.count(module.groups[0]) == 2


def test_the_wrong_half_of_raf_db_is_not_read(tmp_path):
    made = written("raf_db_basic", tmp_path)
    half = made.root / "basic"
    assert total(data.survey("raf_db_basic", half, 16)) == len(made.labels)
    for root in (half, made.root):
        with pytest.raises(DataError, match="compound/EmoLabel"):
            data.survey("raf_db_compound", root, 16)


def test_both_releases_of_affectnet_in_one_folder_are_refused(tmp_path):
    layouts.affectnet(tmp_path)
    layouts.affectnet_newer(tmp_path)
    with pytest.raises(DataError, match="both releases of AffectNet"):
        data.survey("affectnet", tmp_path)


@pytest.mark.parametrize(
    ("layout", "remove", "says"),
    [
        ("raf_db_basic", "basic/EmoLabel", "list_patition_label.txt is missing; give"),
        ("raf_db_basic", "basic/Image/aligned", "aligned is missing; unpack"),
        ("affectnet", "Manually_Annotated_file_lists", "holds neither .*training.csv"),
        ("affectnet", "Manually_Annotated", "Manually_Annotated_Images is missing"),
        ("affectnet, newer", "val_set/annotations", "annotations is missing; give"),
        ("fer2013", "fer2013.csv", "neither fer2013.csv nor icml_face_data.csv nor"),
    ],
)
def test_missing_pieces_are_named(layout, remove, says, tmp_path):
    made = written(layout, tmp_path)
    (made.root / remove).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=says):
        data.load(made.name, made.root)


def test_a_test_table_without_labels_is_said(tmp_path):
    (tmp_path / "train.csv").write_text("emotion,pixels\n0,1 2")
    (tmp_path / "test.csv").write_text("pixels\n1 2")
    with pytest.raises(DataError, match=r"test\.csv has no labels; get fer2013\.csv"):
        data.load("fer2013", tmp_path)


# Faults -------------------------------------------------------------------------------


def missing_annotation(made: Layout) -> None:
    if made.table:
        del made.rows[made.first]
        made.write()
    else:
        (made.root / "train_set" / "annotations" / "0_exp.npy").unlink()


def extra_column(made: Layout) -> None:
    made.rows = [
        f"{row}{made.sep}{'extra' if made.header and not i else 3}"
        for i, row in enumerate(made.rows)
    ]
    made.write()


def wrong_delimiter(made: Layout) -> None:
    made.rows = [row.replace(made.sep, ";") for row in made.rows]
    made.write()


def crlf(made: Layout) -> None:
    made.write(end="\r\n")


def missing_header(made: Layout) -> None:
    del made.rows[0]
    made.write()


def _relabel(made: Layout, label: str) -> None:
    cells = made.rows[made.first].split(made.sep)
    where = len(cells) - 1 - cells[::-1].index(made.labels[0])
    if made.name == "fer2013":
        where = 0
    cells[where] = label
    made.rows[made.first] = made.sep.join(cells)
    made.write()


def unknown_label(made: Layout) -> None:
    if made.table:
        _relabel(made, "42")
    else:
        note = made.root / "train_set" / "annotations" / "0_exp.npy"
        np.save(note, np.array("42"))


def duplicate_row(made: Layout) -> None:
    made.rows.append(made.rows[made.first])
    made.write()


def contradicting_row(made: Layout) -> None:
    again = made.rows[made.first]
    _relabel(made, next(label for label in made.labels if label != made.labels[0]))
    made.rows.append(again)
    made.write()


def truncated_image(made: Layout) -> None:
    if made.photos:
        made.photos[0].write_bytes(made.photos[0].read_bytes()[:-300])
    else:
        made.rows[1] = re.sub(r"( \d+){5}(?=,|$)", "", made.rows[1])
        made.write()


def empty_file(made: Layout) -> None:
    (made.photos[0] if made.photos else made.table).write_bytes(b"")


def path_that_leaves_the_root(made: Layout) -> None:
    draw(made.root.parent / "outside_aligned.jpg", 5)
    draw(made.root.parent / "outside.jpg", 5)
    name = _name_in_table(made)
    up = "../" * 9 + str(made.root.parent / "outside.jpg").lstrip("/")
    made.rows[made.first] = made.rows[made.first].replace(name, up)
    if made.name.startswith("raf"):
        made.rows[0] = f"../../../../train_/../outside.jpg {made.labels[0]}"
    made.write()


def _name_in_table(made: Layout) -> str:
    cells = made.rows[made.first].split(made.sep)
    return next(cell for cell in cells if cell.endswith(".jpg"))


def letters_that_are_no_ascii(made: Layout) -> None:
    """The table writes ä as one sign, the disk as two, as copies of some systems do."""
    old = made.photos[0]
    if made.name.startswith("raf"):
        name = "train_ä_aligned.jpg"
    else:
        name = old.stem + "ä" + old.suffix
    old.rename(old.with_name(unicodedata.normalize("NFD", name)))
    if made.table:
        written_name = Path(_name_in_table(made)).name
        made.rows[made.first] = made.rows[made.first].replace(
            written_name, name.replace("_aligned", "")
        )
        made.write()
    elif made.name == "affectnet":
        note = old.parents[1] / "annotations" / f"{old.stem}_exp.npy"
        note.rename(note.with_name(f"{old.stem}ä_exp.npy"))


def upper_case_ending(made: Layout) -> None:
    made.photos[0].rename(made.photos[0].with_suffix(".JPG"))


def link_inside(made: Layout) -> None:
    real = made.root / ".store" / "real.jpg"
    real.parent.mkdir()
    made.photos[0].rename(real)
    made.photos[0].symlink_to(real)


def link_outside(made: Layout) -> None:
    here = made.photos[0] if made.photos else made.table
    away = made.root.parent / "away"
    here.rename(away)
    here.symlink_to(away)


def link_to_a_folder_above(made: Layout) -> None:
    place = made.photos[0].parent
    (place / "loop").symlink_to(place, target_is_directory=True)


FAULTS: dict[str, Callable[[Layout], None]] = {
    "missing annotation": missing_annotation,
    "extra column": extra_column,
    "wrong delimiter": wrong_delimiter,
    "CRLF": crlf,
    "missing header": missing_header,
    "unknown label": unknown_label,
    "duplicate row": duplicate_row,
    "contradicting row": contradicting_row,
    "truncated image": truncated_image,
    "empty file": empty_file,
    "path that leaves the root": path_that_leaves_the_root,
    "letters that are no ASCII": letters_that_are_no_ascii,
    "upper-case ending": upper_case_ending,
    "link inside": link_inside,
    "link outside": link_outside,
    "link to a folder above": link_to_a_folder_above,
}


@dataclass
class Lost:
    """So many images are lost; reason -> how many files or rows are named under it."""

    images: int
    reasons: dict[str, int]


@dataclass
class Says:
    """One sentence that begins so; nothing is loaded."""

    start: str


@dataclass
class NotHere:
    """The fault cannot occur in this layout, because ..."""

    why: str


SAME = Lost(0, {})
UNREADABLE = Lost(1, {"unreadable image": 1})
NO_HEADER = NotHere("the label file has no header")
ONE_BY_ONE = NotHere("each annotation is a file of its own")
NO_TABLE = NotHere("the folder is the annotation")
IN_TABLE = NotHere("images have no file of their own")
COLUMNS = Says(".* needs the columns ")
LOOP = Lost(0, {"link to a folder it stands in": 1})
REPEATS = Lost(0, {"row that repeats another": 1})
CONTRADICTS = Lost(1, {"rows that contradict each other": 2})
ROW = "row without an image file"
LINK = Lost(1, {"link that leaves the root": 1, ROW: 1})
UNKNOWN = Lost(1, {"unknown label": 1})
RAF = {
    "missing annotation": Lost(1, {"image file without a line": 1}),
    "extra column": Says(".* has no usable line .*a space and a label: "),
    "wrong delimiter": Says(".* has no usable line .*a space and a label: "),
    "missing header": NO_HEADER,
    "unknown label": UNKNOWN,
    "duplicate row": REPEATS,
    "contradicting row": CONTRADICTS,
    "path that leaves the root": Lost(
        1,
        {
            "name that begins with neither train_ nor test_": 1,
            "image file without a line": 1,
        },
    ),
    "link outside": LINK,
}
FER = {
    "missing annotation": IN_TABLE,
    "extra column": SAME,
    "wrong delimiter": COLUMNS,
    "missing header": COLUMNS,
    "unknown label": UNKNOWN,
    "duplicate row": NotHere("a row is an image: it counts, and shares a group"),
    "contradicting row": NotHere("a row is an image"),
    "empty file": Says(".* has no usable row; get"),
    "path that leaves the root": IN_TABLE,
    "letters that are no ASCII": IN_TABLE,
    "upper-case ending": IN_TABLE,
    "link inside": IN_TABLE,
    "link outside": Says(".* is a link that leaves the root; copy"),
    "link to a folder above": IN_TABLE,
}
WITH_HEADER = {
    "missing annotation": Lost(1, {"image file without a row": 1}),
    "extra column": SAME,
    "wrong delimiter": COLUMNS,
    "missing header": COLUMNS,
    "unknown label": UNKNOWN,
    "duplicate row": REPEATS,
    "contradicting row": CONTRADICTS,
    "path that leaves the root": Lost(
        1, {"row that leaves the root": 1, "image file without a row": 1}
    ),
    "link outside": LINK,
}
EVERYWHERE = {
    "CRLF": SAME,
    "truncated image": UNREADABLE,
    "empty file": UNREADABLE,
    "letters that are no ASCII": SAME,
    "upper-case ending": SAME,
    "link inside": SAME,
    "link to a folder above": LOOP,
}
OUTCOMES: dict[str, dict[str, Lost | Says | NotHere]] = {
    "raf_db_basic": RAF,
    "raf_db_compound": RAF,
    "affectnet": WITH_HEADER | {"missing header": SAME},
    "affectnet, newer": {
        "missing annotation": Lost(1, {"image file without an annotation": 1}),
        "extra column": ONE_BY_ONE,
        "wrong delimiter": ONE_BY_ONE,
        "CRLF": ONE_BY_ONE,
        "missing header": ONE_BY_ONE,
        "unknown label": UNKNOWN,
        "duplicate row": ONE_BY_ONE,
        "contradicting row": ONE_BY_ONE,
        "path that leaves the root": ONE_BY_ONE,
        "link outside": Lost(
            1,
            {"link that leaves the root": 1, "annotation without an image file": 1},
        ),
    },
    "fer2013": FER,
    "fer2013, icml": FER,
    "facial_expressions": WITH_HEADER,
    "folder, classes": {
        "missing annotation": NO_TABLE,
        "extra column": NO_TABLE,
        "wrong delimiter": NO_TABLE,
        "CRLF": NO_TABLE,
        "missing header": NO_TABLE,
        "unknown label": NotHere("any word may be a class"),
        "duplicate row": NO_TABLE,
        "contradicting row": NO_TABLE,
        "path that leaves the root": NO_TABLE,
        "link outside": Lost(1, {"link that leaves the root": 1}),
    },
    "folder, table": WITH_HEADER
    | {
        "unknown label": NotHere("any word may be a class"),
        "path that leaves the root": Says(
            "line 2 of .* which lies outside the folder; move"
        ),
    },
}
CASES = [
    (layout, fault, outcome)
    for layout, own in OUTCOMES.items()
    for fault in FAULTS
    if not isinstance(outcome := (EVERYWHERE | own)[fault], NotHere)
]


def test_every_fault_has_an_outcome_in_every_layout():
    assert set(OUTCOMES) == set(LAYOUTS)
    for layout, own in OUTCOMES.items():
        assert set(EVERYWHERE | own) == set(FAULTS), layout


@pytest.mark.parametrize(
    ("layout", "fault", "outcome"), CASES, ids=[f"{a} - {b}" for a, b, _ in CASES]
)
def test_a_fault_is_named_and_nothing_else_is_lost(layout, fault, outcome, tmp_path):
    made = written(layout, tmp_path)
    FAULTS[fault](made)
    if isinstance(outcome, Says):
        with pytest.raises(DataError) as caught:
            survey(made)
        assert re.match(outcome.start, str(caught.value))
        assert "\n" not in str(caught.value)
        assert ";" in str(caught.value), "the sentence tells no way out"
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = survey(made)
    assert total(found) == len(made.labels) - outcome.images
    more = {
        reason: len(names) - len(made.expected.get(reason, []))
        for reason, names in found.skipped.items()
    }
    assert {reason: n for reason, n in more.items() if n} == outcome.reasons
    unreadable = found.skipped.get("unreadable image", [])
    assert len(said) == len(unreadable)
    for name in unreadable:
        assert name in str(said[0].message)


@pytest.mark.parametrize(
    ("layout", "folder"),
    [
        ("raf_db_basic", "basic/Image/aligned"),
        ("affectnet", "Manually_Annotated"),
        ("affectnet, newer", "val_set"),
        ("facial_expressions", "images"),
    ],
)
def test_a_folder_that_is_a_link_out_of_the_root_is_refused(layout, folder, tmp_path):
    made = written(layout, tmp_path)
    (made.root / folder).rename(tmp_path / "away")
    (made.root / folder).symlink_to(tmp_path / "away")
    with pytest.raises(DataError, match="is a link that leaves the root .*; put"):
        survey(made)


def test_a_root_that_is_a_link_is_read(tmp_path):
    made = written("raf_db_basic", tmp_path)
    (tmp_path / "link").symlink_to(made.root)
    assert total(data.survey(made.name, tmp_path / "link", 16)) == len(made.labels)


@pytest.mark.parametrize("layout", ["fer2013", "fer2013, icml"])
def test_a_row_given_twice_is_two_images_of_one_group(layout, tmp_path):
    made = written(layout, tmp_path)
    duplicate_row(made)
    train, *_ = data.load_splits("fer2013", made.root, image_size=16)
    assert len(train) == 22
    assert len(set(train.groups)) == 21


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("3,{pixels}", "row that has not 3 columns"),
        ("3,{pixels},Trening", "unknown usage"),
        ("3,{pixels} 7,Training", "unreadable image"),
        ("3,{pixels} x,Training", "unreadable image"),
        ("3,300 {pixels},Training", "unreadable image"),
        ("3.5,{pixels},Training", "unknown label"),
    ],
)
def test_malformed_rows_of_fer2013_are_named(row, reason, tmp_path):
    made = written("fer2013", tmp_path)
    pixels = made.rows[1].split(",")[1]
    if row.startswith("3,300"):
        pixels = pixels.split(" ", 1)[1]
    if row.endswith("x,Training"):
        pixels = pixels.rsplit(" ", 1)[0]
    made.rows.append(row.format(pixels=pixels))
    made.write()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = survey(made)
    assert total(found) == len(made.labels)
    assert list(found.skipped) == [reason]
    assert found.skipped[reason][0].startswith(f"fer2013.csv line {len(made.rows)}")


def test_a_short_row_of_affectnet_is_named(tmp_path):
    made = written("affectnet", tmp_path)
    made.rows.append("0/abc.jpg,1,2")
    made.write()
    found = survey(made)
    assert found.skipped["row with too few columns"] == [
        f"training.csv line {len(made.rows)}"
    ]


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "newer" not in name])
def test_a_table_that_is_no_utf8_is_named(layout, tmp_path):
    made = written(layout, tmp_path)
    if not made.table or made.name == "fer2013":
        return
    text = made.table.read_bytes().replace(b".jpg", b"\xe4.jpg", 1)
    made.table.write_bytes(text)
    with pytest.raises(DataError, match=r"line \d of .* is not UTF-8 text; save"):
        survey(made)


# Leaks --------------------------------------------------------------------------------


def close(first: torch.Tensor, second: torch.Tensor) -> int:
    """Return how many pairs of grey images correlate above .98, each compared."""
    rows = []
    for faces in (first, second):
        grey = faces.double().mean(1).flatten(1)
        grey = grey - grey.mean(1, keepdim=True)
        rows.append(grey / grey.norm(dim=1, keepdim=True))
    return int((rows[0] @ rows[1].T > 0.98).sum())


def put_twin(made: Layout, of: int, over: int) -> None:
    """Put a brighter copy of one photograph over another one."""
    if made.photos:
        with Image.open(made.photos[of]) as photo:
            brighter = photo.point(lambda v: round(0.8 * v + 30))
        brighter.save(made.photos[over], quality=80)
        return
    cells = [made.rows[i + 1].split(",") for i in (of, over)]
    where = max(range(3), key=lambda i: len(cells[0][i]))
    pixels = (round(0.8 * int(v) + 30) for v in cells[0][where].split())
    cells[1][where] = " ".join(map(str, pixels))
    made.rows[over + 1] = ",".join(cells[1])
    made.write()


@pytest.mark.filterwarnings("ignore:.* has no .* image. number of its images")
@EACH_LAYOUT
def test_no_person_and_no_near_duplicate_on_both_sides(layout, tmp_path):
    made = written(layout, tmp_path)
    per_class = len(made.codes)
    # Twins of another file, of another class, and a chain of three.
    pairs = [(0, 2 * per_class), (1, per_class + 2), (4, 5), (5, per_class + 6)]
    if made.splits:
        pairs = [p for p in pairs if made.splits[p[0]] == made.splits[p[1]] == "train"]
    assert len(pairs) >= 2
    for of, over in pairs:
        put_twin(made, of, over)
    parts = data.load_splits(made.name, made.root, image_size=32)
    assert sum(map(len, parts)) == len(made.labels)
    twins = sum(close(p.images, p.images) - len(p) for p in parts)
    assert twins >= 2 * len(pairs), "the twins are not near duplicates"
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not set(parts[i].groups) & set(parts[j].groups)
        assert close(parts[i].images, parts[j].images) == 0


@pytest.mark.parametrize(
    "layout", [name for name in LAYOUTS if name not in ("facial_expressions",)]
)
def test_twins_across_given_splits_stay_and_are_counted(layout, tmp_path):
    made = written(layout, tmp_path)
    if not made.splits:
        return
    last = len(made.labels) - 1
    assert (made.splits[0], made.splits[last]) == ("train", "test")
    put_twin(made, 0, last)
    assert len(survey(made).shared) == 1
    with pytest.warns(UserWarning, match="1 people or pairs of nearly equal images, "):
        parts = data.load_splits(made.name, made.root, image_size=32)
    train, validation, test = parts
    assert len(test) == made.splits.count("test")
    both = [torch.cat([train.images, validation.images]), test.images]
    assert close(*both) == 1
    assert not set(train.groups) & set(validation.groups)


# Cache --------------------------------------------------------------------------------


@EACH_LAYOUT
def test_second_load_decodes_nothing(layout, tmp_path, monkeypatch):
    made = written(layout, tmp_path)
    first = data.load_splits(made.name, made.root, image_size=16)

    def never(*_):
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(images, "decode_all", never)
    again = data.load_splits(made.name, made.root, image_size=16)
    for one, other in zip(first, again, strict=True):
        assert one.fingerprint == other.fingerprint
        assert one.groups == other.groups
        assert one.skipped == other.skipped


def test_new_labels_need_no_new_decoding(tmp_path, build):
    made = written("raf_db_basic", tmp_path)
    data.load(made.name, made.root, image_size=16)
    _relabel(made, made.labels[1])
    second = survey(made)
    assert second.counts["train"][made.codes[made.labels[1]]] == 4
    assert len(list((build / "data").iterdir())) == 1


def test_another_box_is_another_image(tmp_path, build):
    made = written("affectnet", tmp_path)
    first = data.whole(made.name, made.root, image_size=16).images
    made.rows = [row.replace(",4,6,40,38,", ",4,6,20,19,") for row in made.rows]
    made.write()
    assert len(list((build / "data").iterdir())) == 1
    second = data.whole(made.name, made.root, image_size=16).images
    changed = (first != second).flatten(1).any(1)
    assert changed.sum() == made.splits.count("train")


def test_a_folder_that_moved_is_not_decoded_again(tmp_path, build):
    made = written("raf_db_basic", tmp_path)
    first = data.load(made.name, made.root, image_size=16)
    made.root.rename(tmp_path / "moved")
    second = data.load(made.name, tmp_path / "moved", image_size=16)
    assert first.fingerprint == second.fingerprint
    assert len(list((build / "data").iterdir())) == 1


def test_many_equal_pictures_cost_no_square(tmp_path):
    blank = np.zeros((30_000, 3, 16, 16), dtype=np.uint8)
    blank[::2] = np.asarray(picture(1, 16)).transpose(2, 0, 1)
    groups = splits.join_near_duplicates(blank, [f"{i:05d}" for i in range(len(blank))])
    assert groups == ["00000", "00001"] * 15_000
