"""FER+: the images of FER2013 with the votes of ten people on each.

Layouts: ``fer2013new.csv`` beside the table of FER2013, one row for each of its rows;
or the folders that FER+'s own script writes, ``FER2013Train``, ``FER2013Valid`` and
``FER2013Test``, each with its images and ``label.csv``.

The label is the expression that more than half of the votes chose; single votes do not
count, as in the code of its authors. Images that most called unknown or no face, those
without such a majority, and contempt are left out. The votes for the seven classes
become ``votes`` of the loaded faces.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fersep.data import fer2013
from fersep.data.cards import BASIC_CLASSES
from fersep.data.files import Files
from fersep.data.names import split_of
from fersep.data.rows import read_code, read_lines, skip
from fersep.data.types import DataError, Listing, Photo, Skipped

TABLE = "fer2013new.csv"

#: What the columns of votes mean, in their order.
COLUMNS = ("NE", "HA", "SU", "SA", "AN", "DI", "FE", "contempt", "unknown", "no face")
REASONS = {
    "contempt": "contempt, not one of the paper's classes",
    "unknown": "called unknown by most votes",
    "no face": "called no face by most votes",
    "": "without a majority of the votes",
}


def list_images(name: str, root: Path) -> Listing:
    """Find the images with the votes on them, in the tables or in the folders."""
    places = (root / TABLE, root / "fer2013" / TABLE)
    if votes := next(filter(Path.is_file, places), None):
        return _list_tables(root, votes)
    skipped: Skipped = defaultdict(list)
    photos: list[Photo] = []
    for place in sorted(root.iterdir()):
        split, table = split_of(place.name), place / "label.csv"
        if split and table.is_file():
            files = Files(place, root, skipped)
            for number, cells in enumerate(csv.reader(read_lines(table)), start=1):
                row = f"{place.name}/label.csv line {number}"
                image = files.find(cells[0]) if cells else ""
                if not skip(skipped, row, {"row without an image file": not image}):
                    photo = Photo(files.paths[image], "", split=split)
                    photos += _vote(photo, cells[2:], row, skipped)
    nothing = f"{root} holds neither {TABLE} nor folders with label.csv"
    return Listing(photos, skipped, nothing, "give the folder that holds one of them")


def _list_tables(root: Path, own: Path) -> Listing:
    table = fer2013.find_table(root)
    if table is None:
        raise DataError(
            f"{root} has the votes of FER+ without images; put "
            f"{' or '.join(fer2013.TABLES)} beside {TABLE}"
        )
    listing = fer2013.list_rows(root, table)
    by_row = {photo.name: photo for photo in listing.photos}
    photos = []
    for number, cells in enumerate(csv.reader(read_lines(own)), start=1):
        photo = by_row.pop(f"{table.name} line {number}", None)
        if photo and split_of(cells[0]) != photo.split:
            raise DataError(
                f"line {number} of {own} is {cells[0]}, of {table} {photo.split}: they "
                "do not belong together; get both anew, unchanged"
            )
        if photo:
            row = f"{own.name} line {number}"
            photos += _vote(photo, cells[2:], row, listing.skipped)
    listing.skipped["row without votes"] += by_row
    return replace(listing, photos=photos, nothing=f"{own} has no usable row")


def _vote(
    photo: Photo, cells: Sequence[str], row: str, skipped: Skipped
) -> list[Photo]:
    """Return a photograph with its class and votes, or nothing if it is left out."""
    votes = [max(0, read_code(cell)) for cell in cells[: len(COLUMNS)]]
    if skip(skipped, row, {"row without ten votes": len(votes) < len(COLUMNS)}):
        return []
    votes = [n if n > 1 else 0 for n in votes]
    most = max(votes)
    code = COLUMNS[votes.index(most)] if 2 * most > sum(votes) else ""
    if skip(skipped, row, {REASONS.get(code, ""): code in REASONS}):
        return []
    mine = tuple(votes[COLUMNS.index(c)] for c in BASIC_CLASSES)
    return [photo._replace(code=code, votes=mine)]
