"""Bring the one set of photographs that may be copied, by git, which verifies it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fersep import storage
from fersep.data import NAMES, DataError


@dataclass(frozen=True)
class Source:
    """A repository and the commit of it that the library was made for."""

    url: str
    commit: str


SOURCES = {
    "facial_expressions": Source(
        "https://github.com/muxspace/facial_expressions",
        "5fb9c13afac07c55eae8d25eb6b50af344ad60c9",
    )
}

#: These would turn git away from the folder it is given.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


def fetch(name: str, root: str | Path) -> bool:
    """Bring the files of a data set into a new folder, whole or not at all.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.
    root : str or path
        The folder to make; an empty one, or a copy that is there already, will do.

    Returns
    -------
    bool
        False if a right copy was there already.

    Raises
    ------
    DataError
        If the data set is not open, the folder holds something else, git is missing or
        the commit cannot be had.
    """
    source = _source(name)
    folder = Path(root).expanduser()
    if shutil.which("git") is None:
        raise DataError(
            "git is missing, and it brings and verifies the images; install git and "
            "try again"
        )
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if folder.exists() or folder.is_symlink():
        _accept(folder, source)
        return False
    with storage.whole_folder(folder) as part:
        _bring(part, source)
    return True


def _source(name: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]
    if name not in NAMES:
        raise DataError(f"get knows {', '.join(SOURCES)}; got {name!r}")
    card = import_module(NAMES[name]).CARD
    if name.startswith("rendered"):
        raise DataError(f"{name} is drawn by this library; it needs no files")
    raise DataError(
        f"{name} may not be copied freely, so only you can get it: {card.source}; "
        f"{card.license[0].lower()}{card.license[1:]}"
    )


def _bring(folder: Path, source: Source) -> None:
    slow = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")
    _work(folder, "init", "--quiet")
    words = _work(
        folder, *slow, "fetch", "--progress", "--depth=1", source.url, source.commit
    )
    if words and "not our ref" in words:
        raise DataError(
            f"{source.url} has no commit {source.commit}; get the images from another "
            "copy of this repository that has it"
        )
    if words is not None:
        raise DataError(
            f"git could not bring {source.url} ({words}); check the network and try "
            "again, nothing was left behind"
        )
    # Line ends as they are stored: git compares what it wrote with what was meant.
    exact = ("-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")
    words = _work(folder, *exact, "checkout", "--progress", "FETCH_HEAD")
    if words is not None:
        raise DataError(f"git could not write the images ({words}); free some space")
    _accept(folder, source)


def _accept(folder: Path, source: Source) -> None:
    """Raise DataError if a folder is no copy of the commit, whole and unchanged."""
    way = "give a folder that does not exist yet"
    git = (f"--git-dir={folder / '.git'}", f"--work-tree={folder}")
    head = _ask(*git, "rev-parse", "HEAD") if (folder / ".git").is_dir() else ""
    if head.strip() != source.commit:
        raise DataError(
            f"{folder} is there and is not commit {source.commit[:8]} of "
            f"{source.url}; {way}"
        )
    changed = _ask(*git, "status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        raise DataError(
            f"{len(changed)} files of {folder} were changed or deleted, the first of "
            f"them {changed[0][3:]}; {way}"
        )


def _environment() -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
    # Never wait for a password; speak the language that `_bring` reads.
    return here | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _ask(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        env=_environment(),
        check=False,
    )
    return done.stdout


def _work(folder: Path, *arguments: str) -> str | None:
    """Run git and show its progress on a terminal; return why it failed, or None."""
    last = ""
    with subprocess.Popen(
        ["git", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=_environment(),
    ) as process:
        assert process.stderr
        for line in process.stderr:
            last = (
                line.strip() if line.startswith(("fatal", "error", "remote")) else last
            )
            if sys.stderr.isatty():
                print(f"\r{line.strip():<78.78}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(f"\r{'':<78}\r", end="", file=sys.stderr)
    return (last or "it said nothing") if process.returncode else None
