"""Readers of photographs on small copies of their layouts, whole and broken."""

import importlib
import re
import unicodedata
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
from layouts import LAYOUTS, Layout, Lost, draw, expect, outcome, picture
from PIL import Image

from fersep import data
from fersep.data import (
    BASIC_CLASSES,
    COMPOUND_CLASSES,
    DataError,
    affectnet,
    images,
    photographs,
    twins,
)
from fersep.data.cards import PUBLISHED

EACH_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)
#: Those in which an image is a whole file or row of its own.
PHOTOGRAPHS = [name for name in LAYOUTS if not name.startswith(("ck_plus", "mmi"))]


def written(layout: str, tmp_path: Path) -> Layout:
    # A space and a letter that is no ASCII stand in every path of every test.
    return LAYOUTS[layout](tmp_path / "Gesichter für alle")


def list_images(made: Layout):
    module = importlib.import_module(data.NAMES[made.name])
    return module.list_images(made.name, made.root)


# What the layouts mean, whole ---------------------------------------------------------

#: As the data sets document them: images of each split; a sequence gives two.
DOCUMENTED = {
    "raf_db_basic": {"train": 12271, "test": 3068},
    "raf_db_compound": {"train": 3162, "test": 792},
    "affectnet": {"train": 283901, "test": 3500},
    "fer2013": {"train": 28709, "validation": 3589, "test": 3589},
    "ck_plus": {"all": 2 * 309},
    "mmi": {"all": 2 * 205},
}


def test_published_counts_sum_to_the_documented_ones():
    sums = {
        name: {split: sum(row.values()) for split, row in counts.items()}
        for name, counts in PUBLISHED.items()
    }
    assert sums == DOCUMENTED
    for name, counts in PUBLISHED.items():
        order = COMPOUND_CLASSES if name.endswith("compound") else BASIC_CLASSES
        assert {tuple(row) for row in counts.values()} == {order}
        if "all" in counts:
            assert 2 * counts["all"]["NE"] == DOCUMENTED[name]["all"]


@EACH_LAYOUT
def test_every_image_has_the_class_and_split_of_its_native_label(layout, tmp_path):
    made = written(layout, tmp_path)
    listing = list_images(made)
    found = {p.name or str(p.path): (p.code, p.split) for p in listing.photos}
    names = made.names or [str(photo) for photo in made.photos]
    classes = [made.codes[label] for label in made.labels]
    given = made.splits or [""] * len(names)
    wanted = dict(zip(names, zip(classes, given, strict=True), strict=True))
    assert found == wanted
    survey = data.survey(made.name, made.root, 16)
    assert survey.skipped == made.expected
    assert survey.shared == []
    assert not data.card(made.name).redistributable
    for split, counts in survey.counts.items():
        mine = [c for c, s in wanted.values() if s in (split, "")]
        assert counts == {code: mine.count(code) for code in survey.classes}


@pytest.mark.parametrize("layout", ["fer2013", "fer2013, icml"])
def test_pixels_of_the_table_are_the_image(layout, tmp_path):
    made = written(layout, tmp_path)
    whole = data.whole("fer2013", made.root)
    for row, image in enumerate(whole.images, start=1):
        for channel in image:
            np.testing.assert_array_equal(channel, layouts.fer2013_pixels(row))


def test_folders_of_fer2013_are_read_in_the_order_of_the_paper(tmp_path):
    words = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for s, split in enumerate(("train", "test")):
        for w, word in enumerate(words):
            for i in range(w + 2):
                draw(tmp_path / split / word / f"{i}.png", 1000 * s + 100 * w + i)
    found = data.survey("fer2013", tmp_path, 16)
    assert found.classes == BASIC_CLASSES
    assert list(found.counts["test"].values()) == [6, 5, 7, 8, 4, 2, 3]
    public_and_private = [1233, 1774, 1247, 831, 1024, 958, 111]
    assert list(found.published["test"].values()) == public_and_private
    draw(tmp_path / "train" / "bored" / "0.png", 7)
    found = data.survey("fer2013", tmp_path, 16)
    assert found.skipped == {"unknown label": ["train/bored/0.png"]}
    with pytest.warns(UserWarning, match="1 images in class folders that fer2013 does"):
        found.make_whole()


def test_a_face_is_cut_out_by_its_box(tmp_path):
    whole = np.zeros((900, 1200, 3), dtype=np.uint8)
    whole[..., 1] = 255
    whole[300:500, 700:900] = (255, 0, 0)
    photo = Image.fromarray(whole)
    photo.save(tmp_path / "a.jpg", quality=100)
    photo.save(tmp_path / "a.png")
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
    photo.save(tmp_path / "r.jpg", quality=100, exif=turned)
    face = images.read_image(tmp_path / "r.jpg", 16, (410, 710, 590, 890))
    assert face[0].min() > 235


def test_annotations_of_any_type_are_read_and_broken_ones_run_no_code(tmp_path):
    note = tmp_path / "a.npy"
    for kind in (np.int64, np.int32, np.uint8, np.float32, "<U2", "S1"):
        for shape in ((), (1,)):
            np.save(note, np.full(shape, 5).astype(kind))
            assert affectnet.read_label(note) == 5
    np.save(note, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    head = b"\x93NUMPY\x01\x00v\x00{'descr': 'nonsense'"
    for raw in (note.read_bytes(), b"", b"5", head, head.ljust(200)):
        note.write_bytes(raw)
        assert affectnet.read_label(note) == -1


def test_two_faces_of_one_photograph_stay_on_one_side(tmp_path):
    made = written("affectnet", tmp_path)
    cells = made.rows[1].split(",")
    made.rows.append(",".join([cells[0], "0,0,20,20", *cells[5:]]))
    made.write()
    groups = data.survey(made.name, made.root, 16).groups
    assert len(groups) == len(made.labels) + 1
    assert groups.count(groups[0]) == 2


def test_the_wrong_half_of_raf_db_is_not_read(tmp_path):
    made = written("raf_db_basic", tmp_path)
    half = made.root / "basic"
    assert len(data.whole("raf_db_basic", half, image_size=16)) == len(made.labels)
    for root in (half, made.root):
        with pytest.raises(DataError, match="compound/EmoLabel"):
            data.survey("raf_db_compound", root, 16)


@pytest.mark.parametrize(
    ("layout", "remove", "says"),
    [
        ("raf_db_basic", "basic/EmoLabel", "list_patition_label.txt is missing; give"),
        ("raf_db_basic", "basic/Image/aligned", "aligned is missing; unpack"),
        ("affectnet", "Manually_Annotated_file_lists", "holds neither .*training.csv"),
        ("affectnet", "Manually_Annotated", "Manually_Annotated_Images is missing"),
        ("affectnet, newer", "val_set/annotations", "annotations is missing; give"),
        ("fer2013", "fer2013.csv", "neither fer2013.csv nor icml_face_data.csv nor"),
        ("ck_plus", "cohn-kanade-images", "cohn-kanade-images is missing; give the fo"),
        ("ck_plus", "Emotion", "Emotion is missing; give the folder of"),
        ("ck_plus", "Landmarks", "Landmarks is missing; give the folder of"),
        (
            "facial_expressions",
            "data",
            r"legend\.csv is missing; give the root",
        ),
        ("facial_expressions", "images", "images is missing; give the root of a copy"),
        ("mmi, table", "frames.csv", r"neither frames\.csv nor the folder Sessions"),
    ],
)
def test_missing_pieces_are_named(layout, remove, says, tmp_path):
    made = written(layout, tmp_path)
    (made.root / remove).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=says):
        data.load(made.name, made.root)


def test_a_folder_of_both_releases_is_refused(tmp_path):
    layouts.affectnet(tmp_path)
    layouts.affectnet_newer(tmp_path)
    with pytest.raises(DataError, match="both releases of AffectNet"):
        data.load("affectnet", tmp_path)


# Faults -------------------------------------------------------------------------------


def rows(change):
    """Return a fault: other rows in the table."""

    def fault(made: Layout) -> None:
        made.rows = change(made)
        made.write()

    return fault


def add_column(made: Layout) -> list[str]:
    first = "extra" if made.header else "3"
    return [f"{row}{made.sep}{'3' if i else first}" for i, row in enumerate(made.rows)]


def missing_annotation(made: Layout) -> None:
    if made.table:
        del made.rows[made.header]
        made.write()
    else:
        made.notes[0].unlink()


def unknown_label(made: Layout) -> None:
    if made.table:
        made.set_cell(made.label_at, "42")
    elif made.name == "affectnet":
        np.save(made.notes[0], np.array("42"))
    else:
        old = made.notes[0].read_text(encoding="utf-8")
        new = re.sub(r'1\.0000000e\+00|(?<=Emotion" Value=")1', "fear", old)
        made.notes[0].write_text(new, encoding="utf-8")


def contradicting_row(made: Layout) -> None:
    made.rows.append(made.rows[made.header])
    now = made.cell(made.label_at)
    other = next(label for label in reversed(made.labels) if label not in (now, "0"))
    made.set_cell(made.label_at, other)


def truncated_image(made: Layout) -> None:
    if made.photos:
        made.photos[0].write_bytes(made.photos[0].read_bytes()[:-300])
    else:
        made.rows[1] = re.sub(r"( \d+){5}(?=,|$)", "", made.rows[1])
        made.write()


def empty_file(made: Layout) -> None:
    (made.photos[0] if made.photos else made.table).write_bytes(b"")


def path_that_leaves_the_root(made: Layout) -> None:
    for name in ("outside_aligned.jpg", "outside.jpg"):
        outside = draw(made.root.parent / name, 5)
    made.set_cell(made.path_at, "../" * 9 + str(outside).lstrip("/"))


def letters_that_are_no_ascii(made: Layout) -> None:
    """The table writes ä as one sign, the disk as two, as copies of some systems do."""
    photo = made.photos[0]
    stem = Path(made.cell(made.path_at)).stem if made.table else photo.stem
    disk = unicodedata.normalize("NFD", photo.name.replace(stem, f"{stem}ä"))
    photo.rename(photo.with_name(disk))
    if made.table:
        cell = made.cell(made.path_at)
        made.set_cell(made.path_at, cell.replace(stem, f"{stem}ä"))
    for note in made.notes[:1]:
        note.rename(note.with_name(note.name.replace(stem, f"{stem}ä")))


def upper_case_ending(made: Layout) -> None:
    for path in (made.photos[0], *made.notes[:1]):
        path.rename(path.with_suffix(path.suffix.upper()))


def link_inside(made: Layout) -> None:
    real = made.root / ".real"
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


FAULTS = {
    "missing annotation": missing_annotation,
    "extra column": rows(add_column),
    "wrong delimiter": rows(lambda made: [r.replace(made.sep, ";") for r in made.rows]),
    "CRLF": lambda made: made.write(end="\r\n"),
    "missing header": rows(lambda made: made.rows[1:]),
    "unknown label": unknown_label,
    "duplicate row": rows(lambda made: [*made.rows, made.rows[made.header]]),
    "contradicting row": contradicting_row,
    "no UTF-8": lambda made: made.table.write_bytes(
        made.table.read_bytes() + b"\n\xe4"
    ),
    "path that leaves the root": path_that_leaves_the_root,
    "truncated image": truncated_image,
    "empty file": empty_file,
    "letters that are no ASCII": letters_that_are_no_ascii,
    "upper-case ending": upper_case_ending,
    "link inside": link_inside,
    "link outside": link_outside,
    "link to a folder above": link_to_a_folder_above,
}

# A fault costs so many images, under these reasons; or it is one sentence, and nothing
# is loaded. A fault that a layout does not list cannot occur in it.
SAME = Lost(0)
UNREADABLE = Lost(1, {"unreadable image": 1})
UNKNOWN = Lost(1, {"unknown label": 1})
COLUMNS = ".* needs the columns "
NO_UTF8 = r"line \d+ of .* is not UTF-8 text; save"
LINK = "link that leaves the root"
BETWEEN = "frame that is neither the first nor the peak"
ROW, SPARE = "row without an image file", "image file without a row"
IMAGES = {
    "truncated image": UNREADABLE,
    "empty file": UNREADABLE,
    "letters that are no ASCII": SAME,
    "upper-case ending": SAME,
    "link inside": SAME,
    "link to a folder above": Lost(0, {"link to a folder it stands in": 1}),
}
ROWS = {
    "CRLF": SAME,
    "unknown label": UNKNOWN,
    "duplicate row": Lost(0, {"row that repeats another": 1}),
    "contradicting row": Lost(1, {"rows that contradict each other": 2}),
    "no UTF-8": NO_UTF8,
    "link outside": Lost(1, {LINK: 1, ROW: 1}),
}
NO_LABEL = "line that is not a file name, a space and a label"
NO_LINE = ".* has no usable line .*a space and a label: "
NEITHER = "name that begins with neither train_ nor test_"
RAF = {
    **IMAGES,
    **ROWS,
    "missing annotation": Lost(1, {"image file without a line": 1}),
    "extra column": NO_LINE,
    "wrong delimiter": NO_LINE,
    "path that leaves the root": Lost(1, {NEITHER: 1, "image file without a line": 1}),
}
WITH_HEADER = {
    **IMAGES,
    **ROWS,
    "missing annotation": Lost(1, {SPARE: 1}),
    "extra column": SAME,
    "wrong delimiter": COLUMNS,
    "missing header": COLUMNS,
    "path that leaves the root": Lost(1, {"row that leaves the root": 1, SPARE: 1}),
}
FER = {
    "extra column": SAME,
    "wrong delimiter": COLUMNS,
    "CRLF": SAME,
    "missing header": COLUMNS,
    "unknown label": UNKNOWN,
    "truncated image": UNREADABLE,
    "empty file": ".* has no usable row; get",
    "link outside": ".* is a link that leaves the root; copy",
}
FOLDER = WITH_HEADER | {
    "path that leaves the root": "line 2 of .* which lies outside the folder; move"
}
del FOLDER["unknown label"]  # any word may be a class
OUTCOMES = {
    "raf_db_basic": RAF,
    "raf_db_compound": RAF,
    "affectnet": WITH_HEADER | {"missing header": SAME},
    "affectnet, newer": {
        **IMAGES,
        "missing annotation": Lost(1, {"image file without an annotation": 1}),
        "unknown label": UNKNOWN,
        "link outside": Lost(1, {LINK: 1, "annotation without an image file": 1}),
    },
    "fer2013": FER,
    "fer2013, icml": FER,
    "facial_expressions": WITH_HEADER,
    "folder, classes": {**IMAGES, "link outside": Lost(1, {LINK: 1})},
    "folder, table": FOLDER,
    # A row, and an annotation of a sequence, stand for two images.
    "mmi, table": {
        **WITH_HEADER,
        "missing annotation": Lost(2, {SPARE: 2}),
        "unknown label": Lost(2, {"unknown label": 1}),
        "contradicting row": Lost(2, {"rows that contradict each other": 2}),
        "path that leaves the root": Lost(2, {"row that leaves the root": 1, SPARE: 1}),
        "link outside": Lost(2, {LINK: 1, ROW: 1}),
    },
    "mmi, videos": {
        "missing annotation": Lost(2, {"video without an annotation": 1}),
        "unknown label": Lost(2, {"unknown label": 1}),
        "empty file": Lost(2, {"unreadable image": 2}),
        "upper-case ending": SAME,
        "link inside": SAME,
        "link outside": Lost(2, {LINK: 1, "annotation without a video": 2}),
        "link to a folder above": Lost(0, {"link to a folder it stands in": 1}),
    },
    "ck_plus": {
        **{k: v for k, v in IMAGES.items() if k != "letters that are no ASCII"},
        "unknown label": Lost(2, {"annotation that is not one number": 1, BETWEEN: -1}),
        "missing annotation": Lost(2, {"sequence without a label": 1, BETWEEN: -1}),
        "link outside": Lost(0, {LINK: 1, BETWEEN: -1}),
    },
}
CASES = [
    pytest.param(layout, fault, wanted, id=f"{layout} - {fault}")
    for layout, outcomes in OUTCOMES.items()
    for fault, wanted in outcomes.items()
]


@pytest.mark.parametrize(("layout", "fault", "wanted"), CASES)
def test_a_fault_is_named_and_nothing_else_is_lost(layout, fault, wanted, tmp_path):
    made = written(layout, tmp_path)
    FAULTS[fault](made)
    expect(made, wanted)


def test_a_folder_that_is_a_link_out_of_the_root_is_refused(tmp_path):
    made = written("facial_expressions", tmp_path)
    (made.root / "images").rename(tmp_path / "away")
    (made.root / "images").symlink_to(tmp_path / "away")
    expect(made, "is a link that leaves the root .*; put")


def test_a_root_that_is_a_link_is_read(tmp_path):
    made = written("raf_db_basic", tmp_path)
    (tmp_path / "link").symlink_to(made.root)
    made.root = tmp_path / "link"
    assert outcome(made) == SAME


@pytest.mark.parametrize("layout", ["fer2013", "fer2013, icml"])
def test_a_row_given_twice_is_two_images_of_one_group(layout, tmp_path):
    made = written(layout, tmp_path)
    FAULTS["duplicate row"](made)
    train, *_ = data.load_splits("fer2013", made.root, image_size=16)
    assert len(train) == 22
    assert len(set(train.groups)) == 21


@pytest.mark.parametrize(
    ("layout", "row", "reason"),
    [
        ("fer2013", "3,{pixels}", "row that has not 3 columns"),
        ("fer2013", "3,{pixels},Trening", "unknown usage"),
        ("fer2013", "3,{pixels} 7,Training", "unreadable image"),
        ("fer2013", "3,x{pixels},Training", "unreadable image"),
        ("fer2013", "3,300{pixels},Training", "unreadable image"),
        ("fer2013", "3,-{pixels},Training", "unreadable image"),
        ("fer2013", "3.5,{pixels},Training", "unknown label"),
        ("affectnet", "0/abc.jpg,1,2", "row with too few columns"),
    ],
)
def test_malformed_rows_are_named(layout, row, reason, tmp_path):
    made = written(layout, tmp_path)
    pixels = made.rows[1].split(",")[1] if layout == "fer2013" else ""
    made.rows.append(row.format(pixels=pixels))
    made.write()
    assert outcome(made) == Lost(0, {reason: 1})
    found = data.survey(made.name, made.root, 16) if reason[:3] != "unr" else None
    assert not found or f"line {len(made.rows)}" in found.skipped[reason][0]


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


@pytest.mark.filterwarnings("ignore:.* has no .* image")
@pytest.mark.parametrize("layout", PHOTOGRAPHS)
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


def test_with_many_images_only_equal_ones_are_looked_for_at_each_load(
    tmp_path, monkeypatch
):
    made = written("fer2013", tmp_path)
    put_twin(made, 0, len(made.labels) - 1)
    with pytest.warns(
        UserWarning, match="1 people or nearly equal pictures.*pictures$"
    ):
        data.load_splits(made.name, made.root)
    monkeypatch.setattr(photographs, "QUICK", 9)
    monkeypatch.setattr(photographs, "join_near_duplicates", None)
    data.load_splits(made.name, made.root)
    made.rows[-2] = made.rows[6].replace("Training", "PrivateTest")
    made.write()
    with pytest.warns(UserWarning, match="1 people or equal .* data check fer2013"):
        data.load_splits(made.name, made.root)


@pytest.mark.parametrize("layout", ["ck_plus", "mmi, videos"])
def test_frames_of_one_person_stay_on_one_side(layout, tmp_path):
    made = written(layout, tmp_path)
    parts = data.load_splits(made.name, made.root, image_size=16)
    assert sum(map(len, parts)) == len(made.labels)
    people = [person for part in parts for person in set(part.groups)]
    assert sorted(people) == ["S010", "S011", "S012", "S013"]
    whole = data.whole(made.name, made.root, image_size=16)
    for photo, group in zip(made.names or made.photos, whole.groups, strict=True):
        assert Path(photo).name.startswith(group)
    sums = [image.sum().item() for part in parts for image in part.images]
    assert sorted(sums) == sorted(image.sum().item() for image in whole.images)


# Cache --------------------------------------------------------------------------------


def test_new_labels_or_another_place_need_no_new_decoding(tmp_path, build):
    made = written("raf_db_basic", tmp_path)
    first = data.whole(made.name, made.root, image_size=16)
    made.set_cell(made.label_at, made.labels[1])
    made.root.rename(tmp_path / "moved")
    second = data.whole(made.name, tmp_path / "moved", image_size=16)
    assert torch.equal(first.images, second.images)
    assert (first.labels != second.labels).sum() == 1
    assert len(list((build / "data").iterdir())) == 1


def test_another_box_is_another_image(tmp_path):
    made = written("affectnet", tmp_path)
    first = data.whole(made.name, made.root, image_size=16).images
    made.rows = [row.replace(",4,6,40,38,", ",4,6,20,19,") for row in made.rows]
    made.write()
    second = data.whole(made.name, made.root, image_size=16).images
    changed = (first != second).flatten(1).any(1)
    assert changed.sum() == made.splits.count("train")


def test_many_equal_pictures_cost_no_square():
    blank = np.zeros((30_000, 3, 16, 16), dtype=np.uint8)
    blank[::2] = np.asarray(picture(1, 16)).transpose(2, 0, 1)
    groups = twins.join_near_duplicates(blank, [f"{i:05d}" for i in range(len(blank))])
    assert groups == ["00000", "00001"] * 15_000
