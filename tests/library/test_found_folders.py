"""Folders and tables as people have them: understood, or refused with the way out."""

import shutil
import zlib
from pathlib import Path

import layouts
import pytest
from layouts import draw, put

from fersep import data
from fersep.data import BASIC_CLASSES, DataError
from fersep.data.cards import PUBLISHED

WORDS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def fill(root: Path, *places: str, n: int = 3, name: str = "{}.png") -> None:
    """Write n images into each folder."""
    for place in places:
        for i in range(n):
            path = root / place / name.format(i)
            draw(path, zlib.crc32(str(path).encode()))


def found(root: Path, name: str = "folder") -> data.Photographs:
    return data.survey(name, root, 16)


def splits_of(root: Path, name: str = "folder") -> dict[str, int]:
    return {k: sum(row.values()) for k, row in found(root, name).counts.items()}


@pytest.mark.parametrize(
    "form",
    [
        "{0}/{1}", "{0}_set/{1}", "FER2013{0}/{1}", "Data_{0}/{1}", "images/{0}/{1}",
        "my_faces/my_faces/{0}/{1}", "{0}/images/{1}", "{1}/{0}", "RAF-DB_{0}/{1}",
    ],
)  # fmt: skip
def test_split_folders_of_other_names_are_splits(form, tmp_path):
    for split, n in (("Training", 4), ("Valid", 2), ("TEST", 3)):
        fill(tmp_path, *(form.format(split, c) for c in ("happy", "sad")), n=n)
    draw(tmp_path / "__MACOSX" / "happy" / "x.png", 1)
    assert splits_of(tmp_path) == {"train": 8, "validation": 4, "test": 6}
    assert found(tmp_path).classes == BASIC_CLASSES


@pytest.mark.parametrize("parts", [("lernen", "pruefen"), ("S001", "S002")])
def test_folders_that_hold_the_same_folders_are_refused(parts, tmp_path):
    fill(tmp_path, *(f"{p}/{c}" for p in parts for c in ("happy", "sad", "fear")))
    with pytest.raises(DataError, match="all hold folders like .*; name splits train"):
        found(tmp_path)


def test_people_below_classes_stay_together(tmp_path):
    fill(tmp_path, *(f"{c}/Kim {p}" for p in range(6) for c in ("happy", "sad")))
    assert found(tmp_path).people == {f"kim {p}": 6 for p in range(6)}


def test_without_test_images_validation_is_the_test(tmp_path):
    fill(tmp_path, *(f"{s}/{c}" for s in ("train", "val") for c in ("happy", "sad")))
    survey = found(tmp_path)
    with pytest.warns(UserWarning, match="so the validation images are the test"):
        assert len(survey.make_splits(["test"], 0, 0)[0]) == 6
    shutil.rmtree(tmp_path / "val")
    with pytest.warns(UserWarning, match="alone, so all splits are made here"):
        found(tmp_path).make_whole()


def test_the_form_of_yolo_is_named(tmp_path):
    fill(tmp_path, "train/images", "valid/images")
    put(tmp_path / "train" / "labels" / "0.txt", "3 0.5 0.5 1 1")
    for name in ("folder", "affectnet"):
        with pytest.raises(DataError, match="the form of YOLO.*; cut the faces out"):
            found(tmp_path, name)


def test_names_of_the_frames_of_ck_plus_carry_people(tmp_path):
    for p in range(12):
        for c, word in enumerate(("anger", "contempt", "happy")):
            frames = f"S{p:03d}_00{c}_0000000{{}}.png"
            fill(tmp_path, word, name=frames)
    survey = found(tmp_path)
    assert len(survey.people) == 12
    assert survey.people.total() == 108
    assert survey.classes == (*BASIC_CLASSES, "contempt")
    with pytest.warns(UserWarning, match=r"1 of 3 class names is not known \(contempt"):
        parts = survey.make_splits(data.SPLITS, 0, 0)
    sides = [set(part.groups) for part in parts]
    assert sum(map(len, sides)) == len(set.union(*sides))


@pytest.mark.parametrize("name", ["my_cat_{:03}.png", "{{}}_guy_{:03}.png"])
def test_a_name_on_most_images_is_no_person(name, tmp_path):
    for word in ("happy", "sad"):
        for i in range(10):
            file = name.format(i).format(word)
            draw(tmp_path / word / file, 50 * len(word) + i)
    survey = found(tmp_path)
    assert not survey.people
    with pytest.warns(UserWarning, match="20 of 20 images are named like .*; if it is"):
        assert len(survey.make_splits(["test"], 0, 0)[0]) == 4


# RAF-DB, AffectNet, FER2013, FER+ -----------------------------------------------------


def test_codes_counted_from_another_number_are_refused(tmp_path):
    made = layouts.LAYOUTS["raf_db_basic"](tmp_path)
    made.rows = [f"{row[:-1]}{int(row[-1]) - 1}" for row in made.rows]
    made.write()
    with pytest.raises(DataError, match="are 0, 1, 2, 3, 4, 5, 6, those of raf_db"):
        found(made.root, made.name)
    other = tmp_path / "affectnet"
    fill(other, *(f"{s}/{k}" for s in ("train", "val") for k in range(1, 9)))
    with pytest.raises(DataError, match="are 1, 2, 3, 4, 5, 6, 7, 8, those of affect"):
        found(other, "affectnet")  # 8 is a code of its own there


def test_counts_that_stand_at_other_classes_are_refused(tmp_path, monkeypatch):
    made = layouts.LAYOUTS["raf_db_basic"](tmp_path)
    for i in range(50):
        draw(made.photos[0].with_name(f"train_9{i:04}_aligned.jpg"), 9000 + i)
        made.rows.append(f"train_9{i:04}.jpg 4")
    made.write()
    counts = found(made.root, made.name).counts
    monkeypatch.setitem(PUBLISHED, made.name, counts)
    assert found(made.root, made.name).counts == counts
    swapped = dict(counts["train"], HA=counts["train"]["NE"], NE=counts["train"]["HA"])
    monkeypatch.setitem(PUBLISHED, made.name, {**counts, "train": swapped})
    with pytest.raises(DataError, match="images of NE, HA are as many .*; write the"):
        found(made.root, made.name)


def test_labels_as_words_or_with_a_point_are_read(tmp_path):
    made = layouts.LAYOUTS["raf_db_basic"](tmp_path)
    made.rows[0] = made.rows[0].replace(" 1", " Surprise")
    made.rows[1] = made.rows[1].replace(" 2", " 2.0")
    before = found(made.root, made.name).labels.tolist()
    made.write()
    assert found(made.root, made.name).labels.tolist() == before


@pytest.mark.parametrize("home", ["", "DATASET"])
def test_the_folders_of_raf_db_are_raf_db(home, tmp_path):
    for split, n in (("train", 3), ("test", 1)):
        numbers = (f"{home}/{split}/{k}".lstrip("/") for k in range(1, 8))
        fill(tmp_path, *numbers, n=n)
    put(tmp_path / "train_labels.csv", "image,label")
    survey = found(tmp_path, "raf_db_basic")
    assert survey.counts["train"] == dict.fromkeys(BASIC_CLASSES, 3)
    assert {str(photo) for photo in survey.skipped["file that is no image"]}
    (tmp_path / home / "train" / "1").rename(tmp_path / home / "train" / "0")
    (tmp_path / home / "test" / "1").rename(tmp_path / home / "test" / "0")
    with pytest.raises(DataError, match="are 0, 2, .* counted from another number"):
        found(tmp_path, "raf_db_basic")


def test_word_folders_of_affectnet_leave_contempt_out(tmp_path):
    fill(
        tmp_path, *(f"{s}/{w}" for s in ("train", "val") for w in (*WORDS, "Contempt"))
    )
    survey = found(tmp_path, "affectnet")
    assert survey.counts["test"] == dict.fromkeys(BASIC_CLASSES, 3)
    assert {k: len(v) for k, v in survey.skipped.items()} == {
        "contempt, not one of the paper's classes": 6
    }


@pytest.mark.parametrize("name", ["fer2013", "folder"])
def test_file_names_of_kaggles_fer2013_tell_the_official_split(name, tmp_path):
    for split, place in (
        ("Training", "train"), ("PublicTest", "test"), ("PrivateTest", "test")
    ):  # fmt: skip
        fill(tmp_path, *(f"{place}/{w}" for w in WORDS), name=f"{split}_7{{}}.jpg")
    assert splits_of(tmp_path, name) == dict.fromkeys(data.SPLITS, 21)


VOTES = {
    "4,0,0,1,3,2,0,0,0,0": "",  # four of nine are no majority
    "7,1,0,0,2,0,0,0,0,0": "NE",
    "0,0,0,0,2,6,1,0,0,1": "DI",
    "0,0,0,0,1,0,0,9,0,0": "contempt, not one of the paper's classes",
    "1,0,0,0,0,0,0,0,9,0": "called unknown by most votes",
    "0,0,0,0,0,0,0,0,0,10": "called no face by most votes",
}


@pytest.mark.parametrize("form", ["table", "folders"])
def test_ferplus_takes_the_majority_and_counts_the_rest(form, tmp_path):
    made = layouts.LAYOUTS["fer2013"](tmp_path)
    usages = [row.rpartition(",")[2] for row in made.rows[1:]]
    votes = [[*VOTES][i % len(VOTES)] for i in range(len(usages))]
    rows = zip(usages, votes, strict=True)
    if form == "table":
        head = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,"
        lines = [f"{use},fer{i:07}.png,{v}" for i, (use, v) in enumerate(rows)]
        put(tmp_path / "fer2013new.csv", "\n".join([head, *lines]))
    else:
        made.table.unlink()
        places = {"Training": "Train", "PublicTest": "Valid", "PrivateTest": "Test"}
        for i, (use, v) in enumerate(rows):
            place = tmp_path / f"FER2013{places[use]}"
            draw(place / f"fer{i:07}.png", i)
            with (place / "label.csv").open("a") as file:
                file.write(f'fer{i:07}.png,"(0, 0, 48, 48)",{v}\n')
    survey = found(tmp_path, "ferplus")
    whole = survey.make_whole()
    assert set(whole.labels.tolist()) == {0, 6}
    left = {k: len(v) for k, v in survey.skipped.items() if "image" not in k}
    assert left == {"without a majority of the votes": 6} | {
        VOTES[v]: votes.count(v) for v in [*VOTES][3:]
    }
    first = whole.votes[whole.labels == 6][0].tolist()
    assert first == [0, 0, 0, 0, 0, 0.25, 0.75]
    if form == "table":
        lines[3] = lines[3].replace("Training", "PublicTest")
        put(tmp_path / "fer2013new.csv", "\n".join([head, *lines]))
        with pytest.raises(DataError, match="do not belong together; get both anew"):
            found(tmp_path, "ferplus")


# Files --------------------------------------------------------------------------------


def test_telephone_photographs_are_told_apart(tmp_path):
    put(tmp_path / "happy" / "a.HEIC", "x")
    with pytest.raises(DataError, match="to make a JPEG of, magick mogrify"):
        found(tmp_path)
    fill(tmp_path, "happy", "sad", name="{}.jfif")
    assert splits_of(tmp_path) == {"all": 6}


def test_tables_that_are_no_utf_8_are_read_or_named(tmp_path):
    fill(tmp_path, "faces")
    rows = "Path,LABEL\n" + "".join(f"faces/{i}.png,happy\n" for i in range(3))
    (tmp_path / "faces.csv").write_bytes(rows.encode("utf-16"))
    assert splits_of(tmp_path) == {"all": 3}
    (tmp_path / "faces.csv").write_bytes(b"faces/0.png\0\0\x1b[2J\0" + b"\n")
    (tmp_path / "fer2013.csv").write_bytes(rows.encode("utf-16"))
    for name in ("folder", "fer2013"):
        with pytest.raises(DataError, match="unpack it if it is an archive") as caught:
            found(tmp_path, name)
        assert str(caught.value).isprintable()
