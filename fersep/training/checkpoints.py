"""What a training needs to go on after it was ended, and what it says when it fails."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fersep import storage
from fersep.training.runs import Settings


def save(folder: str | Path, epoch: int, content: dict[str, Any]) -> None:
    """Write the checkpoint after an epoch, and remove those before the last two."""
    # torch writes into memory: on a full disk its own writer may end the process.
    memory = io.BytesIO()
    torch.save(content, memory)
    try:
        with storage.whole_file(Path(folder) / f"epoch-{epoch:05d}.pt") as part:
            part.write_bytes(memory.getbuffer())
    except OSError as error:
        raise OSError(
            f"the checkpoint of epoch {epoch} could not be written into {folder} "
            f"({error.strerror}); make room there, or choose another place"
        ) from None
    for old in files(folder)[2:]:
        old.unlink(missing_ok=True)


def files(folder: str | Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest first."""
    return sorted(Path(folder).glob("epoch-*.pt"), reverse=True)


def load(folder: str | Path) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None where there is none."""
    for file in files(folder):
        try:
            return dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception:  # a broken archive can raise anything
            continue
    if files(folder):
        raise ValueError(
            f"no checkpoint in {folder} can be read; delete the folder to begin again"
        )
    return None


def raise_unless_same(what: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise ValueError about a run on the disk that was given anything else.

    A setting that an older run lacks was what its default is.
    """
    there = {**asdict(Settings()), **there}
    for name, value in here.items():
        if there.get(name) != value:
            raise ValueError(
                f"{what}: {name} is {there.get(name)!r} there and {value!r} here; use "
                "the same values, or another folder"
            )


@contextmanager
def explain_failures(
    folder: str | Path | None, settings: Settings, where: torch.device
) -> Iterator[None]:
    """Turn what stops a training into one sentence that says what is kept."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (known or re.search("not enough memory|allocate", str(error))):
            raise
        raise MemoryError(
            f"the {where.type} has too little memory for batch_size "
            f"{settings.batch_size} and width {settings.width}; lower one of them, or "
            f"image_size{_name_kept(folder)}"
        ) from None
    except (FloatingPointError, ValueError, OSError) as error:
        raise type(error)(f"{error}{_name_kept(folder)}") from None


def _name_kept(folder: str | Path | None) -> str:
    if not folder or not (found := files(folder)):
        return ""
    epoch = int(found[0].stem.removeprefix("epoch-"))
    return f"; the checkpoint of epoch {epoch} is kept in {folder}"
