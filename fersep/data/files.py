"""Files below the root of a data set, found by name."""

import os
import posixpath
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

from fersep.data.types import DataError, Skipped

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff"),
    *(".webp", ".pgm", ".ppm", ".jp2"),
}

#: How photographs of telephones and cameras that no decoder here reads become images.
OTHERS = {
    **dict.fromkeys((".heic", ".heif", ".avif"), "magick mogrify -format jpg does it"),
    **dict.fromkeys((".cr2", ".nef", ".arw", ".dng"), "a photo program exports it"),
}


class Files:
    """The files below a folder, to be found by name.

    ``paths`` holds name with ``/`` -> path, in the order of the names. Hidden files and
    ``__MACOSX`` are passed over; links are followed inside the root, not out of it. Bad
    links and files with other suffixes (in lower case) are put down as skipped.
    `DataError` if the folder is missing, then with ``advice``, or itself a link out of
    the root.
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
        for path in _walk(folder, root, skipped):
            if path.suffix.lower() in suffixes:
                self.paths[below(folder, path)] = path
            elif (way := OTHERS.get(path.suffix.lower())) and SUFFIXES is suffixes:
                skipped[f"photograph to make a JPEG of, {way}"].append(
                    below(root, path)
                )
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


def _walk(folder: Path, root: Path, skipped: Skipped) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_symlink() and (fault := _link_fault(path, root)):
            skipped[fault].append(below(root, path))
        elif entry.is_dir():
            yield from _walk(path, root, skipped)
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
