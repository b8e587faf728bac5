"""Every data set behind one call.

Images are uint8 tensors (n, 3, size, size), labels int64, classes in the paper's order.
Splits are disjoint by group: a person, and images that are nearly the same, stand on
one side only.

What is known of each without its files stands in ``cards.toml``. The module of a set of
photographs has ``list_images(name, root)``, which returns a `Listing` before any image
is opened. All else is done the same way for all.
"""

from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any

from fersep.data.cards import BASIC_CLASSES, COMPOUND_CLASSES, Card, card
from fersep.data.images import open_photographs
from fersep.data.photographs import Photographs
from fersep.data.types import SPLITS, DataError, Faces

__all__ = [
    "BASIC_CLASSES", "COMPOUND_CLASSES", "NAMES", "SPLITS", "Card", "DataError",
    "Faces", "Photographs", "card", "foreign", "is_rendered", "load", "load_splits",
    "survey", "whole",
]  # fmt: skip

#: Data set -> the module that loads it.
NAMES = {
    "rendered_basic": "fersep.rendered",
    "rendered_compound": "fersep.rendered",
    "raf_db_basic": "fersep.data.raf_db",
    "raf_db_compound": "fersep.data.raf_db",
    "affectnet": "fersep.data.affectnet",
    "ck_plus": "fersep.data.ck_plus",
    "mmi": "fersep.data.mmi",
    "fer2013": "fersep.data.fer2013",
    "ferplus": "fersep.data.ferplus",
    "facial_expressions": "fersep.data.facial_expressions",
    "folder": "fersep.data.folder",
}


def is_rendered(name: str) -> bool:
    """Say whether a data set is drawn by the library and needs no files."""
    return name.startswith("rendered")


def load(
    name: str, root: str | Path | None = None, split: str = "train", **options: Any
) -> Faces:
    """Load one split of a data set.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    root : str or path, optional
        The folder that holds the files; rendered faces need none.
    split : {"train", "validation", "test"}
    **options
        ``image_size`` (side in pixels, 48), ``size`` (images in all three splits
        together, 0 for all there are), ``seed`` (of the split, 0); rendered faces also
        take ``difficulty`` ("easy", "default" or "hard"), ``counts`` ("raf",
        "balanced" or "swapped"), ``identity`` ("varied" or "frozen": one person on all
        images, splits by image) and ``test_size`` (test images, 0 for a fifth of all;
        more are of new people).

    Returns
    -------
    Faces

    Raises
    ------
    DataError
        One sentence that names what is wrong with the files or options.
    """
    if split not in SPLITS:
        raise DataError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    return _load(name, root, (split,), **options)[0]


def _load(
    name: str, root: str | Path | None, splits: tuple[str, ...], **options: Any
) -> list[Faces]:
    if name not in NAMES:
        raise DataError(f"data must be one of {', '.join(NAMES)}; got {name!r}")
    _check_options(name, options)
    if is_rendered(name):
        module = import_module(NAMES[name])
        return [module.load(name, root or None, split, **options) for split in splits]
    found = survey(name, root, options.get("image_size", 48))
    return found.make_splits(splits, options.get("size", 0), options.get("seed", 0))


def _check_options(name: str, options: dict[str, Any]) -> None:
    known = ["image_size", "size", "seed"]
    if is_rendered(name):
        known += ["difficulty", "counts", "identity", "test_size"]
    for option in options:
        if option not in known:
            raise DataError(
                f"{name} has no option {option!r}; its options are {', '.join(known)}"
            )
    for option in ("image_size", "size", "seed", "test_size"):
        value = options.get(option, 48)
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise DataError(f"{option} must be a whole number, got {value!r}")
        if option == "image_size" and value < 8:
            raise DataError(f"image_size must be at least 8 pixels, got {value}")
        if value < 0:
            raise DataError(f"{option} must be 0 or more, got {value}")


def load_splits(
    name: str, root: str | Path | None = None, **options: Any
) -> tuple[Faces, Faces, Faces]:
    """Load training, validation and test images of a data set.

    Parameters
    ----------
    name, root, **options
        As in :func:`load`; photographs leave ``difficulty`` aside.

    Returns
    -------
    train, validation, test : Faces
    """
    if not is_rendered(name):
        options.pop("difficulty", None)
    train, validation, test = _load(name, root, SPLITS, **options)
    return train, validation, test


def whole(name: str, root: str | Path | None, *, image_size: int = 48) -> Faces:
    """Load all images of a set of photographs in one piece, whatever their split.

    For tests of a network that was trained on another data set. Every class keeps its
    number, also where no image shows it.

    Parameters
    ----------
    name, root, image_size
        As in :func:`load`; rendered faces have no files.
    """
    return survey(name, root, image_size).make_whole()


def foreign(name: str, root: str | Path | None, known: Faces) -> Faces:
    """Load what a network of other faces is tested on: a set it has never seen.

    Of photographs these are all images, of rendered faces the test images.

    Parameters
    ----------
    name, root
        As in :func:`load`.
    known : Faces
        What the network knows: its classes, and the size of its images.

    Raises
    ------
    DataError
        If the set has other classes.
    """
    side = known.images.shape[-1]
    if is_rendered(name):
        found = load(name, None, "test", image_size=side)
    else:
        found = whole(name, root, image_size=side)
    if found.classes != known.classes:
        raise DataError(
            f"{name} has the classes {', '.join(found.classes)}, {known.name} has "
            f"{', '.join(known.classes)}; choose sets with the same ones"
        )
    return found


def survey(name: str, root: str | Path | None, image_size: int = 48) -> Photographs:
    """Open a set of photographs: what is there, and what is left out and why.

    Parameters
    ----------
    name, root, image_size
        As in :func:`load`; rendered faces have no files.
    """
    if name not in NAMES or is_rendered(name):
        known = ", ".join(n for n in NAMES if not is_rendered(n))
        raise DataError(f"a set of photographs is one of {known}; got {name!r}")
    if not root:
        raise DataError(
            f"{name} needs root, the folder that holds its files: -p root FOLDER in a "
            "notebook, --root FOLDER in a command"
        )
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"root {root} is no folder ({folder.absolute()}); give the folder that "
            f"holds the files of {name}, unpacked"
        )
    listing = import_module(NAMES[name]).list_images(name, folder)
    return open_photographs(name, folder, listing, image_size)
