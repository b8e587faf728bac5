"""``python -m fersep data``: list, check and get, on real folders and repositories."""

import json
import os
import subprocess
from collections import Counter

import layouts
import pytest

from fersep import data
from fersep.cli import main
from fersep.data.cards import PUBLISHED, SOURCES


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def made(tmp_path):
    return layouts.LAYOUTS["raf_db_basic"](tmp_path / "Gesichter für alle")


def data_command(capsys, *arguments):
    """Return status, output and errors of one command."""
    status = main(["data", *map(str, arguments)])
    told = capsys.readouterr()
    return status, told.out, told.err


def line(text):
    """Return a text in one line."""
    return " ".join(text.split())


def refusal(capsys, *arguments):
    """Return the one line of a command that is refused."""
    status, out, err = data_command(capsys, *arguments)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    return err.strip()


# list ---------------------------------------------------------------------------------


def test_every_data_set_is_listed_with_counts_license_and_way(capsys):
    status, out, _ = data_command(capsys, "list")
    assert status == 0
    table, _, blocks = out.partition("\n\n")
    rows = {row.split()[0]: row for row in table.splitlines()}
    assert set(data.NAMES) <= set(rows)
    assert "train 12,271, test 3,068" in rows["raf_db_basic"]
    assert rows["ck_plus"].split()[1:] == ["7", "618", "needed"]
    assert rows["rendered_compound"].split()[1] == "11"
    assert rows["rendered_compound"].endswith("none")
    for card in map(data.card, data.NAMES):
        assert card.license in line(blocks)
        assert card.source in line(blocks)


# check --------------------------------------------------------------------------------


def counted(made):
    """Return split -> class -> number of images."""
    pairs = zip(made.splits, made.labels, strict=True)
    numbers = Counter((split, made.codes[label]) for split, label in pairs)
    return {
        split: {c: numbers[split, c] for c in made.codes.values()}
        for split in ("train", "test")
    }


def as_published(made, monkeypatch, **changes):
    """Let the small folder be what is published, but for some classes."""
    published = {
        split: {c: n + changes.get(f"{split}_{c}", 0) for c, n in row.items()}
        for split, row in counted(made).items()
    }
    monkeypatch.setitem(PUBLISHED, made.name, published)


def test_found_and_published_counts_stand_below_each_other(made, capsys, monkeypatch):
    as_published(made, monkeypatch)
    status, out, _ = data_command(capsys, "check", made.name, made.root)
    assert status == 0
    rows = [row.split() for row in out.splitlines()]
    for split, row in counted(made).items():
        numbers = [str(n) for n in (*row.values(), sum(row.values()))]
        assert [split, "found", *numbers] in rows
        assert [split, "published", *numbers] in rows
    assert "Exactly as published." in out
    assert "Nothing was left out." in out
    assert "Nobody is known by name" in out
    assert out.endswith("It can be used.\n")


def test_every_difference_and_every_file_left_out_is_said(made, capsys, monkeypatch):
    as_published(made, monkeypatch, train_FE=3, test_HA=-1)
    made.photos[5].write_bytes(b"")
    spare = [made.photos[0].with_name(f"spare{i}.jpg") for i in range(5)]
    for i, path in enumerate(spare):
        layouts.draw(path, 700 + i)
    status, out, _ = data_command(capsys, "check", made.name, made.root)
    assert status == 0
    lost = made.codes[made.labels[5]]
    assert "train FE -3" in line(out)
    assert "test HA +1" in line(out)
    assert f"train {lost} -1" in line(out)
    assert "Left out: 6 files or rows" in out
    assert "  5 image file without a line\n      aligned/spare0.jpg\n" in out
    assert "spare3" not in out
    assert f"  1 unreadable image\n      {made.photos[5].relative_to(made.root)}" in out
    status, out, _ = data_command(capsys, "check", made.name, made.root, "--json")
    facts = json.loads(out)
    assert facts["differences"] == {"train": {"FE": -3, lost: -1}, "test": {"HA": 1}}
    assert facts["skipped"]["image file without a line"] == [
        f"aligned/spare{i}.jpg" for i in range(5)
    ]
    assert facts["counts"]["test"] == counted(made)["test"]
    assert facts["usable"] is True
    assert facts["notes"] == []


def test_twins_on_both_sides_are_noted(made, capsys):
    for copy in (-1, 1):  # a test image, and one of the training images
        made.photos[copy].write_bytes(made.photos[0].read_bytes())
    status, out, _ = data_command(capsys, "check", made.name, made.root)
    assert status == 0
    assert "2 images repeat an earlier one; 1 pictures stand in more than one" in out
    assert "Note: 1 people or nearly equal pictures" in line(out)


def test_how_many_people_the_names_told_is_said(tmp_path, capsys):
    made = layouts.LAYOUTS["folder, classes"](tmp_path)
    _, out, _ = data_command(capsys, "check", made.name, made.root)
    assert "Names tell 21 people, on 42 of 42 images" in out


def test_a_folder_that_cannot_be_used_has_status_1(made, capsys):
    made.rows = [row for row in made.rows if row.startswith("train")]
    made.write()
    status, out, _ = data_command(capsys, "check", made.name, made.root)
    assert status == 1
    assert "It cannot be used: " in line(out)
    assert "leaves no test image of raf_db_basic" in line(out)
    status, out, _ = data_command(capsys, "check", made.name, made.root, "--json")
    assert status == 1
    assert "leaves no test image" in json.loads(out)["problem"]


def test_a_build_folder_that_cannot_be_written_is_named(made, capsys, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", "/dev/null/_build")
    told = refusal(capsys, "check", made.name, made.root)
    assert "/dev/null/_build" in told
    assert told.endswith("; name a folder that can be written: FERSEP_BUILD=FOLDER")


def test_a_wrong_folder_is_one_sentence(tmp_path, capsys):
    told = refusal(capsys, "check", "raf_db_basic", tmp_path)
    assert "list_patition_label.txt is missing; give" in told
    assert "no folder" in refusal(capsys, "check", "mmi", tmp_path / "nowhere")
    assert "is one of raf_db_basic" in refusal(capsys, "check", "raf", tmp_path)
    assert "got 'rendered_basic'" in refusal(
        capsys, "check", "rendered_basic", tmp_path
    )
    status, out, err = data_command(capsys, "check", "ck_plus", tmp_path, "--json")
    assert (status, err) == (1, "")
    facts = json.loads(out)
    assert facts["usable"] is False
    assert "cohn-kanade-images is missing" in facts["problem"]


# get ----------------------------------------------------------------------------------


def git(folder, *arguments):
    me = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    done = subprocess.run(
        ["git", "-C", folder, *me, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path, monkeypatch):
    """A repository of which an older commit is the pinned one."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = layouts.LAYOUTS["facial_expressions"](tmp_path / "origin")
    git(made.root, "init", "--quiet")
    git(made.root, "add", ".")
    git(made.root, "commit", "--quiet", "-m", "one")
    commit = git(made.root, "rev-parse", "HEAD")
    (made.root / "data" / "legend.csv").write_text("changed since")
    git(made.root, "commit", "--quiet", "-am", "two")
    pin(monkeypatch, made.root.as_uri(), commit)
    return made


def test_the_pinned_source_is_the_one_of_the_card():
    card, source = data.card("facial_expressions"), SOURCES["facial_expressions"]
    assert source["url"].endswith(card.source)
    assert source["commit"][:8] in card.citation


def pin(monkeypatch, url, commit):
    monkeypatch.setitem(SOURCES, "facial_expressions", {"url": url, "commit": commit})


def test_get_brings_the_pinned_commit_alone(origin, tmp_path, capsys):
    source = SOURCES["facial_expressions"]
    folder = tmp_path / "neue Gesichter"
    folder.mkdir()
    order = ("get", "facial_expressions", folder)
    status, out, _ = data_command(capsys, *order)
    assert status == 0
    assert "now holds facial_expressions, verified by git; look" in out
    assert git(folder, "rev-list", "--all", "HEAD", "--count") == "1"
    assert git(folder, "rev-parse", "HEAD") == source["commit"]
    assert "exists; choose a new name" in refusal(capsys, *order)
    found = data.survey("facial_expressions", folder, 16)
    assert sum(found.counts["all"].values()) == len(origin.labels)


@pytest.mark.parametrize("url", ["", "file:///nowhere/at/all", "ftp://"])
def test_what_git_cannot_bring_is_said_and_leaves_nothing(
    url, origin, tmp_path, capsys, monkeypatch
):
    url = url or origin.root.as_uri()  # it is there, and lacks the commit
    pin(monkeypatch, url, "0123456789" * 4)
    order = ("get", "facial_expressions", tmp_path / "faces")
    told = refusal(capsys, *order)
    assert told.startswith(f"git could not bring {url} (")
    assert told.endswith("check the network and try again, nothing was left behind")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(capsys, *order).startswith("git is missing")
    assert [path.name for path in tmp_path.iterdir()] == ["origin"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raf_db_basic", "may not be copied freely, so only you can get it: whdeng.cn"),
        ("rendered_basic", "is drawn by this library"),
        ("folder", "only you can get it"),
        ("imagenet", "get knows facial_expressions; got 'imagenet'"),
    ],
)
def test_other_sets_are_not_brought(name, says, tmp_path, capsys):
    assert says in refusal(capsys, "get", name, tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []
