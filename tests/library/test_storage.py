"""Files and folders are there whole or not at all, whatever ends the writer."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from fersep import storage

FORK = multiprocessing.get_context("fork")
SIZE = 2**20


def write_files(place: Path, letter: int) -> None:
    for _ in range(10**6):
        with storage.whole_file(place / "file") as part:
            part.write_bytes(bytes([letter]) * SIZE)


def write_folders(place: Path, letter: int) -> None:
    for i in range(10**6):
        with storage.whole_folder(place / f"{letter}-{i}") as part:
            for name in "ab":
                (part / name).write_bytes(bytes([letter]) * SIZE)


@pytest.mark.parametrize("write", [write_files, write_folders])
def test_two_writers_that_are_killed_leave_only_what_is_whole(tmp_path, write):
    writers = [FORK.Process(target=write, args=(tmp_path, n)) for n in (65, 66)]
    for writer in writers:
        writer.start()
    read, end = 0, time.monotonic() + 60
    while read < 30 and time.monotonic() < end:
        for file in [*tmp_path.glob("[!.]*/a"), *tmp_path.glob("file")]:
            content = file.read_bytes()
            assert content in (b"A" * SIZE, b"B" * SIZE)
            read += 1
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    assert read >= 30
    for file in [*tmp_path.glob("[!.]*/[ab]"), *tmp_path.glob("file")]:
        assert file.read_bytes() in (b"A" * SIZE, b"B" * SIZE)


def test_a_failed_writer_leaves_what_was_there(tmp_path):
    path = tmp_path / "deep" / "file"
    with storage.whole_file(path) as part:
        part.write_text("first")
    with pytest.raises(TypeError), storage.whole_file(path) as part:
        part.write_text(b"sec")
    with pytest.raises(TypeError), storage.whole_folder(tmp_path / "folder") as part:
        (part / "file").write_text(b"sec")
    assert path.read_text() == "first"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["file"]
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_an_array_is_filled_once_and_a_failed_one_leaves_nothing(build, monkeypatch):
    def fails(array):
        array[0] = 1
        raise RuntimeError("broken image")

    def fill(array):
        array[1] = 7
        return {"left out": ["b.png"]}

    with pytest.raises(RuntimeError, match="broken image"):
        storage.cached_array("faces", ["a", 1], (3, 2), fails)

    def full(handle, start, size):
        raise OSError(errno.ENOSPC, f"no room for {size}")

    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="for 1005134"):
            storage.cached_array("faces", ["a", 1], (1003, 1002), fails)
    assert list((build / "data").iterdir()) == []
    for maker in (fill, fails):  # what is there is not made again
        array, facts = storage.cached_array("faces", ["a", 1], (3, 2), maker)
        assert array.tolist() == [[0, 0], [7, 7], [0, 0]]
        assert facts == {"left out": ["b.png"]}
    with pytest.raises(RuntimeError):
        storage.cached_array("faces", ["a", 2], (3, 2), fails)


def test_what_is_whole_has_the_usual_rights(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain.txt").touch()
    with storage.whole_file(tmp_path / "file"), storage.whole_folder(tmp_path / "new"):
        pass
    rights = {p.name: p.stat().st_mode for p in tmp_path.iterdir()}
    assert rights["file"] == rights["plain.txt"]
    assert rights["new"] == rights["plain"]


def test_a_folder_is_never_replaced(tmp_path):
    slow = storage.whole_folder(tmp_path / "late")
    slow.__enter__()
    with storage.whole_folder(tmp_path / "late") as part:
        (part / "first").touch()
    with pytest.raises(FileExistsError, match="late exists; choose a new name"):
        slow.__exit__(None, None, None)
    assert [p.name for p in (tmp_path / "late").iterdir()] == ["first"]
    with pytest.raises(FileExistsError, match="late exists; choose a new name"):
        storage.whole_folder(tmp_path / "late").__enter__()


def test_the_build_folder_is_named_or_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FERSEP_BUILD", raising=False)
    assert storage.build_folder() == tmp_path / "_build"
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "elsewhere"))
    assert storage.build_folder() == tmp_path / "elsewhere"
