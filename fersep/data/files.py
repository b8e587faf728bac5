"""Files below the root of a data set, found by name, and tables of what is in them."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from fersep.data.types import DataError, Skipped

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


K = TypeVar("K")


V = TypeVar("V")


class Files:
    """The files below a folder, to be found by name.

    Hidden files are passed over. Links are followed inside the root, not out of it.

    Parameters
    ----------
    folder, root : Path
        Names count from the folder; links may not leave the root.
    skipped : Skipped
        Takes the files that are no image and the links that lead nowhere or outside.
    suffixes : set of str, optional
        Other endings than those of images, in lower case.
    advice : str, optional
        What to do if the folder is missing.

    Raises
    ------
    DataError
        If the folder is missing or itself a link out of the root.

    Attributes
    ----------
    paths : dict of str to Path
        Name with ``/`` -> path, in the order of the names.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        skipped: Skipped,
        suffixes: Collection[str] = SUFFIXES,
        *,
        advice: str = "give the root as it was unpacked",
    ) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder} is missing; {advice}")
        if not folder.resolve().is_relative_to(root.resolve()):
            raise DataError(
                f"{folder} is a link that leaves the root {root}; put the folder "
                "itself there"
            )
        self.paths: dict[str, Path] = {}
        for path in walk_files(folder, root, skipped):
            if path.suffix.lower() in suffixes:
                self.paths[below(folder, path)] = path
            else:
                skipped["file that is no image"].append(below(root, path))
        self._plain = {_plain(name): name for name in self.paths}
        self._found: set[str] = set()

    def find(self, name: str) -> str:
        """Return a name of `paths`, also if case or Unicode form are written otherwise.

        Nothing if there is no such file.
        """
        name = posixpath.normpath(name.replace("\\", "/"))
        found = name if name in self.paths else self._plain.get(_plain(name), "")
        self._found.add(found)
        return found

    def not_found(self) -> list[str]:
        """Return the names that `find` has not returned."""
        return [name for name in self.paths if name not in self._found]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def walk_files(folder: Path, root: Path, skipped: Skipped) -> Iterator[Path]:
    """Yield the files below a folder by name, hidden ones and bad links left out."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_symlink() and (fault := _link_fault(path, root)):
            skipped[fault].append(below(root, path))
        elif entry.is_dir():
            yield from walk_files(path, root, skipped)
        elif entry.is_file():
            yield path


def _link_fault(link: Path, root: Path) -> str:
    real = os.path.realpath(link)
    if not os.path.exists(real):
        return "link to nothing"
    if not Path(real).is_relative_to(root.resolve()):
        return "link that leaves the root"
    if os.path.isdir(real) and real in map(os.path.realpath, link.parents):
        return "link to a folder it stands in"
    return ""


def below(root: Path, path: Path) -> str:
    """Return the name of a path below the root, with ``/``."""
    return path.as_posix().removeprefix(root.as_posix()).lstrip("/")


def leaves(name: str) -> bool:
    """Say whether a relative path leads out of its folder, or is none."""
    name = posixpath.normpath(name.replace("\\", "/"))
    return name.startswith(("../", "/")) or name == ".." or name[1:2] == ":"


def no_file_reason(name: str) -> str:
    """Return the reason why a row whose file is not found is left out."""
    return "row that leaves the root" if leaves(name) else "row without an image file"


def merge_rows(
    said: Mapping[K, Sequence[tuple[str, V]]], skipped: Skipped
) -> dict[K, V]:
    """Return what is said of each image where all rows agree.

    Parameters
    ----------
    said : dict of image to list of (row, fact)
        ``row`` names the row in `skipped`.
    skipped : Skipped
        Takes rows that repeat another, and all rows that contradict each other.
    """
    known = {}
    for image, rows in said.items():
        if any(fact != rows[0][1] for _, fact in rows):
            names = [row for row, _ in rows]
            skipped["rows that contradict each other"].extend(names)
        else:
            skipped["row that repeats another"].extend(row for row, _ in rows[1:])
            known[image] = rows[0][1]
    return known


def check_root(name: str, root: str | Path | None) -> Path:
    """Return the folder of a data set.

    Raises
    ------
    DataError
        If it was not given or is no folder.
    """
    if not root:
        raise DataError(
            f"{name} needs root, the folder that holds its files: -p root FOLDER"
        )
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"root {root} is no folder; give the folder that holds the files of {name}"
        )
    return folder


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text, one at a time: some tables fill the memory.

    Raises
    ------
    DataError
        If a line is no UTF-8 text.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise DataError(
                    f"line {number} of {path} is not UTF-8 text; save the table as "
                    "UTF-8"
                ) from None


def say_skipped(skipped: Mapping[str, Sequence[str]]) -> str:
    """Return in words why files were left out, to stand inside a message."""
    reasons = ", ".join(f"{reason}: {len(n)}" for reason, n in skipped.items() if n)
    return f" (left out: {reasons})" if reasons else ""
