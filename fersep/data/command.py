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
from typing import Any

from fersep import data
from fersep.data import NAMES, SPLITS, DataError, fetch, is_rendered
from fersep.data.classes import BASIC_CLASSES, COMPOUND_CLASSES
from fersep.data.types import Counts

#: Names shown of the files left out for one reason.
SHOWN = 3


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``python -m fersep data``."""
    photographs = [name for name in NAMES if not is_rendered(name)]
    actions = parser.add_subparsers(dest="action", required=True)
    every = actions.add_parser("list", help="the data sets and how to get them")
    every.add_argument("--json", action="store_true", help="for machines")
    one = actions.add_parser(
        "check", help="count a folder; status 1 if it cannot be used"
    )
    one.add_argument("name", help=f"one of {', '.join(photographs)}")
    one.add_argument("root", help="the folder that holds the files")
    one.add_argument("--json", action="store_true", help="for machines; names all")
    get = actions.add_parser("get", help="bring the set that may be copied, by git")
    get.add_argument("name", help=", ".join(fetch.SOURCES))
    get.add_argument("root", help="the folder to make")


def run(order: Namespace) -> int:
    """Run one of the commands and return the exit status."""
    if order.action == "list":
        rows = describe_all()
        print(json.dumps(rows, indent=1) if order.json else write_list(rows))
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
        facts = check(order.name, order.root)
    except DataError as error:
        if not order.json:
            raise
        facts = {"name": order.name, "root": order.root, "usable": False}
        facts["problem"] = str(error)
    print(json.dumps(facts, indent=1) if order.json else write_check(facts))
    return 0 if facts["usable"] else 1


def describe_all() -> list[dict[str, Any]]:
    """Return what is known of each data set, before any folder is given."""
    rows = []
    for name in NAMES:
        module = import_module(NAMES[name])
        compound = name.endswith("compound")
        classes = COMPOUND_CLASSES if compound else BASIC_CLASSES
        get = f"python -m fersep data get {name} FOLDER"
        rows.append(
            {
                "name": name,
                "classes": None if name == "folder" else list(classes),
                "published": getattr(module, "PUBLISHED", {}).get(name, {}),
                "needs_root": not is_rendered(name),
                "get": get if name in fetch.SOURCES else None,
                "card": asdict(module.CARD),
            }
        )
    return rows


def write_list(rows: list[dict[str, Any]]) -> str:
    """Return the data sets as a table, and the card of each below it."""
    table = [["name", "classes", "images", "folder"]]
    cards: dict[str, list[str]] = {}
    for row in rows:
        sums = {split: sum(each.values()) for split, each in row["published"].items()}
        images = [f"{'' if k == 'all' else k + ' '}{n:,}" for k, n in sums.items()]
        unknown = "as found" if row["needs_root"] else "drawn, as many as you ask for"
        classes = str(len(row["classes"])) if row["classes"] else "yours"
        root = "needed" if row["needs_root"] else "none"
        table.append([row["name"], classes, ", ".join(images) or unknown, root])
        card = row["card"]
        facts = {
            "from": card["source"],
            "license": card["license"],
            "get it": row["get"],
            "people": card["people"],
            "consent": card["consent"],
            "pages": "may be shown" if card["redistributable"] else "not to be shown",
        }
        text = [_wrap(words, f"  {key:<8}") for key, words in facts.items() if words]
        cards.setdefault("\n".join(text), []).append(row["name"])
    blocks = [f"{', '.join(names)}\n{text}" for text, names in cards.items()]
    return "\n\n".join([_align(table), *blocks])


def check(name: str, root: str) -> dict[str, Any]:
    """Survey a folder and try to load it.

    Returns
    -------
    dict
        What `fersep.data.survey` finds, how it differs from what is published, and
        whether the folder can be used, in plain values.

    Raises
    ------
    DataError
        If nothing can be counted.
    """
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
    notes = dict.fromkeys(str(warning.message) for warning in said)
    return {
        "name": name,
        "root": root,
        "usable": problem is None,
        "problem": problem,
        "classes": found.classes,
        "counts": found.counts,
        "published": found.published,
        "differences": _differences(found.counts, found.published),
        "skipped": found.skipped,
        "on_both_sides": found.shared,
        # Unreadable images are named under skipped.
        "notes": [note for note in notes if note not in told],
        "card": asdict(found.card),
    }


def _differences(found: Counts, published: Counts) -> dict[str, dict[str, int]]:
    """Return found minus published, of each split and class where they differ."""
    lacks = {}
    for split, row in published.items():
        here = found.get(split, {})
        lacks[split] = {
            c: here.get(c, 0) - n for c, n in row.items() if here.get(c, 0) != n
        }
    return {split: row for split, row in lacks.items() if row}


def write_check(facts: dict[str, Any]) -> str:
    """Return a check as text."""
    total = sum(sum(row.values()) for row in facts["counts"].values())
    table = [["", *facts["classes"], "all"]]
    for split in (*SPLITS, "all"):
        for word, key in (("found", "counts"), ("published", "published")):
            if split in facts[key]:
                each = [facts[key][split].get(c, 0) for c in facts["classes"]]
                here = word if split == "all" else f"{split} {word}"
                table.append([here, *(f"{n:,}" for n in (*each, sum(each)))])
    differences = ", ".join(
        f"{'' if split == 'all' else split + ' '}{c} {n:+,}"
        for split, row in facts["differences"].items()
        for c, n in row.items()
    )
    verdict = "Exactly as published."
    if not facts["published"]:
        verdict = "No counts are published to compare with."
    elif differences:
        verdict = f"Not as published: {differences}."
    usable = "It can be used."
    if facts["problem"]:
        usable = f"It cannot be used: {facts['problem']}"
    return "\n\n".join(
        [
            f"{facts['name']} in {facts['root']}: {total:,} images can be used",
            _align(table, right=True),
            _wrap(verdict),
            _write_skipped(facts["skipped"]),
            *(_wrap(f"Note: {note}") for note in facts["notes"]),
            _wrap(usable),
        ]
    )


def _write_skipped(skipped: dict[str, list[str]]) -> str:
    total = sum(map(len, skipped.values()))
    if not total:
        return "Nothing was left out."
    lines = [f"Left out: {total:,} files or rows (--json names all of them)"]
    for reason, names in sorted(skipped.items(), key=lambda item: -len(item[1])):
        lines.append(f"  {len(names):,} {reason}")
        lines += [f"      {name[:76]}" for name in names[:SHOWN]]
        lines += ["      …"] if len(names) > SHOWN else []
    return "\n".join(lines)


def _align(rows: Sequence[Sequence[str]], right: bool = False) -> str:
    """Return rows in even columns; all but the first to the right, if wanted."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = ["<", *(">" if right else "<" for _ in widths[1:])]
    form = "  ".join(f"{{:{s}{w}}}" for s, w in zip(sides, widths, strict=True))
    return "\n".join(form.format(*row).rstrip() for row in rows)


def _wrap(text: str, key: str = "") -> str:
    """Return a paragraph beside a key, as wide as the terminal."""
    return textwrap.fill(
        text,
        max(40, min(shutil.get_terminal_size().columns, 88)),
        initial_indent=key,
        subsequent_indent=" " * len(key),
        break_on_hyphens=False,
        break_long_words=False,
    )
