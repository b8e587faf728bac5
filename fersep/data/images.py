"""Images opened, squared and kept decode."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from fersep import provenance, storage
from fersep.data.files import below
from fersep.data.splits import join_near_duplicates
from fersep.data.types import Array, Listing


def decode(
    name: str, root: Path, listing: Listing, image_size: int
) -> tuple[Array, Array, list[str], dict[str, list[str]]]:
    """Open all listed images once.

    The cache is keyed by the names, sizes and times of the files, what of them is read
    and the code that reads it: the content itself is not read to tell whether it
    changed. It appears whole or not at all.

    Returns
    -------
    images : array, (n, 3, image_size, image_size) uint8
        Memory-mapped.
    kept : array, (n,) int64
        The place of each readable image in the listing.
    groups : list of str, (n,)
        Those of the listing; images that are nearly the same share one.
    skipped : dict of str to list of str
        Those of the listing and the unreadable images.
    """
    code = _code((listing.read or read_image).__module__)
    stamp = hashlib.sha256(f"{name} {image_size} {code}".encode())
    for path in dict.fromkeys(listing.paths):
        facts = path.stat()
        known = f"{below(root, path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0"
        stamp.update(known.encode(errors="surrogateescape"))
    for i, (path, group) in enumerate(zip(listing.paths, listing.groups, strict=True)):
        part = listing.parts[i] if listing.parts else None
        known = f"{below(root, path)}\0{group}\0{part}\0"
        stamp.update(known.encode(errors="surrogateescape"))
    folder = storage.build_folder() / "data" / f"{name}-{stamp.hexdigest()[:20]}"
    # Another process may finish the same folder first.
    with suppress(FileExistsError), storage.whole_folder(folder) as part:
        decode_all(name, listing, image_size, part)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    skipped = {reason: names for reason, names in listing.skipped.items() if names}
    if index["unreadable"]:
        names = [
            listing.names[i] if listing.names else below(root, listing.paths[i])
            for i in index["unreadable"]
        ]
        skipped["unreadable image"] = names
        warnings.warn(
            f"{len(names)} images of {name} cannot be read and are left "
            f"out, the first of them {names[0]}; repair or delete them",
            stacklevel=2,
        )
    kept = np.delete(np.arange(len(listing.paths)), index["unreadable"])
    return _mapped(folder, len(kept), image_size), kept, index["groups"], skipped


@cache
def _code(module: str) -> str:
    return provenance.code_key(module)


def _mapped(folder: Path, n: int, image_size: int) -> Array:
    shape = (n, 3, image_size, image_size)
    if n == 0:
        return np.empty(shape, dtype=np.uint8)
    return np.memmap(folder / "images.u8", np.uint8, "r", shape=shape)


def decode_all(name: str, listing: Listing, image_size: int, folder: Path) -> None:
    """Fill the folder of a cache."""
    n = len(listing.paths)
    read = listing.read or read_image
    parts = listing.parts or [None] * n
    unreadable: list[int] = []
    progress = tqdm(
        desc=f"reading {name}", total=n, leave=False, file=sys.stdout, mininterval=2
    )
    file = (folder / "images.u8").open("wb")
    with file, progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time: the pool would hold all that the disk has not taken yet.
        for start in range(0, n, 1000):
            few = slice(start, start + 1000)
            sizes = [image_size] * len(parts[few])
            pictures = pool.map(read, listing.paths[few], sizes, parts[few])
            for i, picture in enumerate(pictures, start):
                if picture is None:
                    unreadable.append(i)
                else:
                    file.write(np.ascontiguousarray(picture).data)
                progress.update()
    lost = set(unreadable)
    groups = [group for i, group in enumerate(listing.groups) if i not in lost]
    groups = join_near_duplicates(_mapped(folder, len(groups), image_size), groups)
    index = {"unreadable": unreadable, "groups": groups}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def read_image(
    path: Path, size: int, box: tuple[float, float, float, float] | None = None
) -> Array | None:
    """Return an image file as (3, size, size) uint8, or None if it cannot be read.

    The largest square around the middle is kept; orientation marks are obeyed. Grey
    pictures of 16 bits are brought to 8; those of 32 bits have no known white.

    Parameters
    ----------
    path : Path
    size : int
        Side in pixels.
    box : (left, top, right, bottom), optional
        The part of the upright picture to use, in its pixels; what lies outside the
        picture is left away, and a box that lies outside altogether cannot be read.
    """
    try:
        with Image.open(path) as image:
            wide = image.width
            if box is None:
                image.draft("RGB", (2 * size, 2 * size))
            else:
                zoom = 2 * size / max(1.0, min(box[2] - box[0], box[3] - box[1]))
                needed = (int(image.width * zoom), int(image.height * zoom))
                image.draft("RGB", needed)
            scale = image.width / wide
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ("I", "F"):
                return None
            upright = upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if box is not None:
        left, top, right, bottom = (round(side * scale) for side in box)
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, upright.width), min(bottom, upright.height)
        if left >= right or top >= bottom:
            return None
        upright = upright.crop((left, top, right, bottom))
    return square_image(upright, size)


def square_image(image: Image.Image, size: int) -> Array:
    """Return the largest square around the middle as (3, size, size) uint8."""
    square = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).transpose(2, 0, 1)
