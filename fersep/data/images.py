"""Images of files, squared; all of a data set opened once and kept."""

import os
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from fersep import provenance, storage
from fersep.data.cards import PUBLISHED
from fersep.data.files import below
from fersep.data.names import raise_if_reordered
from fersep.data.photographs import Photographs
from fersep.data.rows import say_skipped
from fersep.data.types import Array, DataError, Listing

#: Pixels that a side needs, and what lies behind a picture with holes.
SMALLEST = 8
GRAY = (128, 128, 128, 255)


def open_photographs(
    name: str, root: Path, listing: Listing, image_size: int
) -> Photographs:
    """Open all listed images once; `DataError` if there is none.

    The cache is keyed by the names, sizes and times of the files, what of them is read
    and the code that reads it: the content itself is not read to tell whether it
    changed.
    """
    photos, read = listing.photos, listing.read or read_image
    if not photos:
        lost = say_skipped(listing.skipped)
        raise DataError(f"{listing.nothing}{lost}; {listing.advice}")
    key = [name, image_size, provenance.code_key(read.__module__)]
    places = {p: below(root, p) for p in dict.fromkeys(photo.path for photo in photos)}
    for path, place in places.items():
        facts = path.stat()
        key += [place, facts.st_size, facts.st_mtime_ns]
    # Who is unknown is a person of his own.
    people = [photo.group or photo.name or places[photo.path] for photo in photos]
    for photo, who in zip(photos, people, strict=True):
        key += [places[photo.path], who, photo.part]
    images, found = storage.cached_array(
        name,
        key,
        (len(photos), listing.channels, image_size, image_size),
        lambda empty: decode_all(name, listing, empty),
    )
    unreadable = set(found)
    readable = [i for i in range(len(photos)) if i not in unreadable]
    kept = [photos[i] for i in readable]
    number = {code: c for c, code in enumerate(listing.classes)}
    skipped = {reason: names for reason, names in listing.skipped.items() if names}
    if unreadable:
        gone = [photos[i] for i in found]
        names = [photo.name or below(root, photo.path) for photo in gone]
        skipped["unreadable image"] = names
        warnings.warn(
            f"{len(names)} images of {name} cannot be read and are left out, the first "
            f"of them {names[0]}; repair or delete them",
            stacklevel=2,
        )
    photographs = Photographs(
        name,
        root,
        listing.classes,
        listing.published or PUBLISHED.get(name, {}),
        images[: len(kept)],
        np.asarray([number[photo.code] for photo in kept], dtype=np.int64),
        [people[i] for i in readable],
        [photo.split for photo in kept] if photos[0].split else None,
        skipped,
        listing.notes,
        Counter(photo.group for photo in kept if photo.group),
        np.asarray([photo.votes for photo in kept]) if photos[0].votes else None,
    )
    raise_if_reordered(name, photographs.counts, photographs.published)
    return photographs


def decode_all(name: str, listing: Listing, images: Array) -> list[int]:
    """Fill images (n, 3, size, size) from the first on with those that can be read.

    Return the places of the others in the listing.
    """
    photos, read = listing.photos, listing.read or read_image
    size = images.shape[-1]
    unreadable: list[int] = []
    look: dict[str, Any] = {"leave": False, "file": sys.stdout, "mininterval": 2}
    progress = tqdm(desc=f"reading {name}", total=len(photos), **look)
    with progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time: the pool would hold all that the disk has not taken yet.
        for start in range(0, len(photos), 1000):
            few = photos[start : start + 1000]
            pictures = pool.map(lambda photo: read(photo.path, size, photo.part), few)
            for i, picture in enumerate(pictures, start):
                if picture is None:
                    unreadable.append(i)
                else:
                    images[i - len(unreadable)] = picture
                progress.update()
    return unreadable


def read_image(
    path: Path, size: int, box: tuple[float, float, float, float] | None = None
) -> Array | None:
    """Return an image file as (3, size, size) uint8, or None if it cannot be read.

    The largest square around the middle is kept; orientation marks are obeyed. A side
    below 8 pixels shows no face. For colors see :func:`to_rgb`. Of the
    box (left, top, right, bottom), in pixels of the upright picture, what lies outside
    is left away; a box that lies outside altogether cannot be read.
    """
    try:
        with Image.open(path) as image:
            wide = image.width
            needed = (2 * size, 2 * size)
            if box is not None:
                zoom = 2 * size / max(1.0, min(box[2] - box[0], box[3] - box[1]))
                needed = (int(image.width * zoom), int(image.height * zoom))
            image.draft("RGB", needed)
            scale = image.width / wide
            upright = to_rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if box is not None:
        left, top, right, bottom = (round(side * scale) for side in box)
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, upright.width), min(bottom, upright.height)
        if left >= right or top >= bottom:
            return None
        upright = upright.crop((left, top, right, bottom))
    return square_image(upright, size) if min(upright.size) >= SMALLEST else None


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in the three colors that a viewer sees; ValueError if none can.

    What is transparent is laid on middle gray. Of pictures of more than 8 bits the
    brightest pixel tells how many bits are used: 12 of 16 in those of many cameras.
    Numbers with a point, or of more than 16 bits, have no known white.
    """
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        bits = next((b for b in (8, 10, 12, 14, 16) if deep.max() < 1 << b), 0)
        if deep.min() < 0 or not bits:
            raise ValueError("no known white")
        image = Image.fromarray((deep >> (bits - 8)).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("no known white")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, GRAY), seen)
    return image.convert("RGB")


def square_image(image: Image.Image, size: int) -> Array:
    """Return the largest square around the middle as (channels, size, size) uint8."""
    square = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.atleast_3d(np.asarray(square)).transpose(2, 0, 1)
