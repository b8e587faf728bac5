"""What ``python -m fersep data`` prints: the data sets, and what a folder holds."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from fersep import data
from fersep.data import NAMES, SPLITS, DataError, Survey, fetch
from fersep.data.classes import BASIC_CLASSES

#: Names shown of the files left out for one reason.
SHOWN = 3
#: Pictures of each class on a contact sheet, and their side in pixels.
SHEET = 12
SIDE = 96


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``python -m fersep data``."""
    actions = parser.add_subparsers(dest="action", required=True)
    overview = actions.add_parser("list", help="the data sets and how to get them")
    overview.add_argument("--json", action="store_true", help="for machines")
    check = actions.add_parser(
        "check", help="count a folder; status 1 if it cannot be used"
    )
    check.add_argument("name", help=f"one of {', '.join(photographs())}")
    check.add_argument("root", help="the folder that holds the files")
    check.add_argument("--json", action="store_true", help="for machines; names all")
    check.add_argument("--sheet", metavar="FILE", help="a PNG with faces of each class")
    check.add_argument(
        "--show-faces",
        action="store_true",
        help="make the sheet of faces that may not be passed on; keep it to yourself",
    )
    get = actions.add_parser("get", help="bring the set that may be copied, by git")
    get.add_argument("name", help=", ".join(fetch.SOURCES))
    get.add_argument("root", help="the folder to make")


def run(order: Namespace) -> int:
    """Run one of the commands and return the exit status."""
    if order.action == "list":
        print(json.dumps(overview(), indent=1) if order.json else listing())
        return 0
    if order.action == "get":
        new = fetch.fetch(order.name, order.root)
        print(
            f"{order.root} {'now holds' if new else 'already held'} {order.name}, "
            "verified by git; look at it with\n"
            f"python -m fersep data check {order.name} {shlex.quote(order.root)}"
        )
        return 0
    try:
        found, facts = checked(order.name, order.root, order.sheet, order.show_faces)
    except DataError as error:
        if not order.json:
            raise
        facts = {"name": order.name, "root": order.root, "usable": False}
        print(json.dumps(facts | {"problem": str(error)}, indent=1))
        return 1
    print(json.dumps(facts, indent=1) if order.json else described(found, facts))
    return 0 if facts["usable"] else 1


def photographs() -> list[str]:
    """Return the names of the data sets that need a folder."""
    return [name for name in NAMES if not name.startswith("rendered")]


def overview() -> list[dict[str, Any]]:
    """Return what is known of each data set, before any folder is given."""
    rows = []
    for name in NAMES:
        module = import_module(NAMES[name])
        classes = getattr(module, "CLASSES", {}).get(name, BASIC_CLASSES)
        published = getattr(module, "PUBLISHED", {}).get(name, {})
        rows.append(
            {
                "name": name,
                "classes": None if name == "folder" else list(classes),
                "published": published,
                "needs_root": name in photographs(),
                "get": f"python -m fersep data get {name} FOLDER"
                if name in fetch.SOURCES
                else None,
                "card": asdict(module.CARD),
            }
        )
    return rows


def listing() -> str:
    """Return the data sets as a table, and the card of each below it."""
    rows = overview()
    table = [("name", "classes", "images", "folder")]
    cards: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        numbers = {k: sum(v.values()) for k, v in row["published"].items()}
        parts = [f"{n:,}" if k == "all" else f"{k} {n:,}" for k, n in numbers.items()]
        classes = row["classes"]
        drawn = "drawn, as many as you ask for"
        table.append(
            (
                row["name"],
                str(len(classes)) if classes else "yours",
                ", ".join(parts) or ("as found" if row["needs_root"] else drawn),
                "needed" if row["needs_root"] else "none",
            )
        )
        cards.setdefault(row["card"]["name"], []).append(row)
    lines = columns(table)
    for same in cards.values():
        card = same[0]["card"]
        lines += ["", ", ".join(row["name"] for row in same)]
        facts = [("from", card["source"]), ("license", card["license"])]
        facts += [("get it", same[0]["get"])] if same[0]["get"] else []
        facts += [("people", card["people"]), ("consent", card["consent"])]
        facts.append(
            ("pages", "may be shown" if card["redistributable"] else "not to be shown")
        )
        lines += [line for key, text in facts for line in paragraph(key, text)]
    return "\n".join(lines)


def paragraph(key: str, text: str) -> list[str]:
    """Return lines of text beside a key, as wide as the terminal."""
    width = max(40, min(shutil.get_terminal_size().columns, 88))
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"  {key:<8}",
        subsequent_indent=" " * 10,
        break_on_hyphens=False,
        break_long_words=False,
    )


def columns(rows: Sequence[Sequence[str]], right: bool = False) -> list[str]:
    """Return rows as lines of even columns, the first row underlined."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if right and i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def checked(
    name: str, root: str, sheet: str | None = None, show_faces: bool = False
) -> tuple[Survey, dict[str, Any]]:
    """Survey a folder, try to load it, and make the contact sheet if it is wanted.

    Parameters
    ----------
    name, root
        As in `fersep.data.load`.
    sheet : str, optional
        The PNG file to write.
    show_faces : bool
        Write it also if the card says that faces may not be passed on.

    Returns
    -------
    Survey
    dict
        The same and whether the folder can be used, in plain values.

    Raises
    ------
    DataError
        If nothing can be counted, or the sheet is not allowed.
    """
    if sheet is not None:
        _allowed(name, Path(sheet), show_faces)
    problem = None
    # The progress goes where it cannot come between what machines read.
    with redirect_stdout(sys.stderr), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = data.survey(name, root)
        told = {str(warning.message) for warning in said}
        try:
            data.load_splits(name, root, size=100)
        except DataError as error:
            problem = str(error)
    notes = dict.fromkeys(str(w.message) for w in said)
    if sheet is not None:
        write_sheet(found, Path(sheet))
    facts = {
        "name": name,
        "root": root,
        "usable": problem is None,
        "problem": problem,
        "counts": found.counts,
        "published": found.published,
        "differences": differences(found),
        "skipped": found.skipped,
        "on_both_sides": found.shared,
        # Unreadable images are named under skipped.
        "notes": [note for note in notes if note not in told],
        "sheet": sheet,
        "card": asdict(found.card),
    }
    return found, facts


def differences(found: Survey) -> dict[str, dict[str, int]]:
    """Return found minus published, of each split and class where they differ."""
    lacks = {}
    for split, published in found.published.items():
        counts = found.counts.get(split, {})
        row = {c: counts.get(c, 0) - n for c, n in published.items()}
        if any(row.values()):
            lacks[split] = {c: n for c, n in row.items() if n}
    return lacks


def described(found: Survey, facts: dict[str, Any]) -> str:
    """Return a check as text."""
    total = sum(sum(row.values()) for row in found.counts.values())
    lines = [f"{facts['name']} in {facts['root']}: {total:,} images can be used", ""]
    table = [("", *found.classes, "all")]
    for split in (*SPLITS, "all"):
        for word, counts in (("found", found.counts), ("published", found.published)):
            if split in counts:
                each = [counts[split].get(c, 0) for c in found.classes]
                here = "" if split == "all" else f"{split} "
                table.append((here + word, *(f"{n:,}" for n in (*each, sum(each)))))
    lines += columns(table, right=True)
    lines.append("")
    if not found.published:
        lines.append("No counts are published to compare with.")
    elif facts["differences"]:
        parts = [
            f"{'' if split == 'all' else split + ' '}{c} {n:+,}"
            for split, row in facts["differences"].items()
            for c, n in row.items()
        ]
        lines += _wrapped("Not as published: " + ", ".join(parts) + ".")
    else:
        lines.append("Exactly as published.")
    lines += _left_out(found.skipped)
    for note in facts["notes"]:
        lines += ["", *_wrapped(f"Note: {note}")]
    if facts["sheet"]:
        lines += ["", f"Faces of each class: {facts['sheet']}"]
    verdict = "It can be used."
    if facts["problem"]:
        verdict = f"It cannot be used: {facts['problem']}"
    return "\n".join([*lines, "", *_wrapped(verdict)])


def _left_out(skipped: dict[str, list[str]]) -> list[str]:
    total = sum(map(len, skipped.values()))
    if not total:
        return ["Nothing was left out."]
    lines = ["", f"Left out: {total:,} files or rows (--json names all of them)"]
    for reason, names in sorted(skipped.items(), key=lambda item: -len(item[1])):
        lines.append(f"  {len(names):,} {reason}")
        lines += [f"      {name[:76]}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            lines.append("      …")
    return lines


def _wrapped(text: str) -> list[str]:
    width = max(40, min(shutil.get_terminal_size().columns, 88))
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
