"""Files and folders that appear whole or not at all, and where they are kept."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave it empty
        _open_to_others(part, 0o666)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a hidden folder to fill; it becomes ``folder`` whole, or not at all.

    FileExistsError if that is there already, or another process finished it meanwhile.
    """
    folder = Path(folder)
    taken = FileExistsError(f"{folder} exists; choose a new name, or delete it first")
    if folder.exists():
        raise taken
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        if not folder.is_relative_to(build_folder()):
            raise
        way = "name a folder that can be written: FERSEP_BUILD=FOLDER"
        raise OSError(f"{error}; {way}") from None
    try:
        yield part
        _open_to_others(part, 0o777)
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError) and folder.exists():
            raise taken from None
        raise


def _open_to_others(path: Path, rights: int) -> None:
    """Give a temporary place, which is private, the rights that others have here."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(rights & ~umask)


def cached_array(
    name: str,
    key: Iterable[object],
    shape: tuple[int, ...],
    fill: Callable[[NDArray[np.uint8]], Any],
) -> tuple[NDArray[np.uint8], Any]:
    """Return an array (shape) uint8, filled once and kept below the build folder.

    Its folder's name begins with ``name`` and ends with the hash of the texts in
    ``key``: all that the array depends on. ``fill(array)`` fills an array of zeros; it
    returns facts that JSON can hold, or None. If it fails, nothing is kept. Beside the
    array, which is memory-mapped and read only, come those facts.
    """
    digest = hashlib.sha256()
    for part in key:
        digest.update(f"{part}\0".encode(errors="surrogateescape"))
    folder = build_folder() / "data" / f"{name}-{digest.hexdigest()[:20]}"
    # Another process may finish the same folder first.
    with suppress(FileExistsError), whole_folder(folder) as place:
        file = place / "array.npy"
        empty = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        if hasattr(os, "posix_fallocate"):
            # Take its room at once: later a full disk would kill the process.
            with file.open("rb+") as handle:
                os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
        facts = fill(empty)
        empty.flush()
        (place / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    kept: NDArray[np.uint8] = np.load(folder / "array.npy", mmap_mode="r")
    return kept, json.loads((folder / "facts.json").read_text(encoding="utf-8"))
