"""Files and folders that appear whole or not at all, and where they are kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def build_folder() -> Path:
    """Return the folder for what is computed once: decoded images, drawn faces, runs.

    The environment variable ``FERSEP_BUILD``, else ``_build`` in the working directory.
    """
    return Path(os.environ.get("FERSEP_BUILD") or "_build").absolute()


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a hidden path to write to; it replaces ``path`` whole, or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # A temporary file is private; the finished one has the usual rights.
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a hidden folder to fill; it becomes ``folder`` whole, or not at all.

    Raises
    ------
    FileExistsError
        If the folder is there already, or another process finished it meanwhile.
    """
    folder = Path(folder)
    taken = FileExistsError(f"{folder} exists; choose a new name, or delete it first")
    if folder.exists():
        raise taken
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield part
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and folder.exists():
            raise taken from None
        raise
