"""Bring the one set of photographs that may be copied, by git, which verifies it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from fersep import storage
from fersep.data import NAMES, DataError, is_rendered

#: Data set -> repository, and the commit of it that the library was made for.
SOURCES = {
    "facial_expressions": (
        "https://github.com/muxspace/facial_expressions",
        "5fb9c13afac07c55eae8d25eb6b50af344ad60c9",
    )
}


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
    url, commit = _find_source(name)
    folder = Path(root).expanduser()
    if shutil.which("git") is None:
        raise DataError(
            "git is missing, and it brings and verifies the images; install it first"
        )
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if folder.exists() or folder.is_symlink():
        if _run_git(folder, "diff", "--quiet", commit).returncode:
            raise DataError(
                f"{folder} is there and is not commit {commit[:8]} of {url}, whole and "
                "unchanged; give a folder that does not exist yet"
            )
        return False
    slow = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")
    with storage.whole_folder(folder) as part:
        for order in (
            ("init", "--quiet"),
            (*slow, "fetch", "--depth=1", url, commit),
            ("checkout", "--quiet", "FETCH_HEAD"),
        ):
            done = _run_git(part, *order)
            if done.returncode:
                words = (done.stderr or "it says why above").strip().splitlines()
                raise DataError(
                    f"git could not bring {url} ({words[-1]}); check the network and "
                    "try again, nothing was left behind"
                )
    return True


def _find_source(name: str) -> tuple[str, str]:
    if name in SOURCES:
        return SOURCES[name]
    if name not in NAMES:
        raise DataError(f"get knows {', '.join(SOURCES)}; got {name!r}")
    if is_rendered(name):
        raise DataError(f"{name} is drawn by this library; it needs no files")
    card = import_module(NAMES[name]).CARD
    raise DataError(
        f"{name} may not be copied freely, so only you can get it: {card.source}; "
        f"{card.license[0].lower()}{card.license[1:]}"
    )


def _run_git(folder: Path, *order: str) -> subprocess.CompletedProcess[str]:
    """Run git on a folder and no other; `fetch` shows its progress on a terminal."""
    here = {"GIT_DIR": str(folder / ".git"), "GIT_WORK_TREE": str(folder)}
    shown = "fetch" in order and sys.stderr.isatty()
    return subprocess.run(
        ["git", *order],
        stdout=subprocess.DEVNULL,
        stderr=None if shown else subprocess.PIPE,
        text=True,
        errors="replace",
        # Never wait for a password.
        env=os.environ | here | {"GIT_TERMINAL_PROMPT": "0"},
        check=False,
    )
