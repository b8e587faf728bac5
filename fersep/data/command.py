"""What ``python -m fersep data`` prints: the data sets, and what a folder holds."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fersep import data, storage
from fersep.data import NAMES, SPLITS, DataError, card, is_rendered
from fersep.data.cards import PUBLISHED, SOURCES, WORDS, Counts

#: Names shown of the files left out for one reason.
SHOWN = 3


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``python -m fersep data``."""
    photographs = [name for name in NAMES if not is_rendered(name)]
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="the data sets and how to get them")
    one = actions.add_parser("check", help="count a folder; status 1 if not usable")
    one.add_argument("name", help=f"one of {', '.join(photographs)}")
    one.add_argument("root", help="the folder that holds the files")
    one.add_argument("--json", action="store_true", help="for machines; names all")
    new = actions.add_parser("get", help="bring the set that may be copied, by git")
    new.add_argument("name", help=", ".join(SOURCES))
    new.add_argument("root", help="the folder to make")


def run(order: Namespace) -> int:
    """Run one of the commands and return the exit status."""
    if order.action == "list":
        print(write_list())
        return 0
    if order.action == "get":
        get(order.name, order.root)
        print(
            f"{order.root} now holds {order.name}, verified by git; look at it with\n"
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


def write_list() -> str:
    """Return the data sets as a table, and the card of each below it."""
    table = [["name", "classes", "images", "folder"]]
    cards: dict[str, list[str]] = {}
    for name in NAMES:
        drawn, its = is_rendered(name), card(name)
        published = PUBLISHED.get(name, {})
        sums = {split: sum(each.values()) for split, each in published.items()}
        images = [f"{'' if k == 'all' else k + ' '}{n:,}" for k, n in sums.items()]
        unknown = "drawn, as many as you ask for" if drawn else "as found"
        classes = len(WORDS["compound" if name.endswith("compound") else "basic"])
        kinds = "yours" if name == "folder" else str(classes)
        root = "none" if drawn else "needed"
        table.append([name, kinds, ", ".join(images) or unknown, root])
        way = f"python -m fersep data get {name} FOLDER"
        facts = {
            "from": its.source,
            "license": its.license,
            "get it": way if name in SOURCES else "",
            "people": its.people,
            "consent": its.consent,
            "pages": "may be shown" if its.redistributable else "not to be shown",
        }
        text = [_wrap(words, f"  {key:<8}") for key, words in facts.items() if words]
        cards.setdefault("\n".join(text), []).append(name)
    blocks = [f"{', '.join(names)}\n{text}" for text, names in cards.items()]
    return "\n\n".join([_align(table), *blocks])


def check(name: str, root: str) -> dict[str, Any]:
    """Survey a folder and try to load it; `DataError` if nothing can be counted.

    Return what `fersep.data.survey` finds, how it differs from what is published, and
    whether the folder can be used, in plain values.
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
        "people": {"named": len(found.people), "images": found.people.total()},
        "copies": found.copies,
        "on_both_sides": found.shared,
        # Unreadable images are named under skipped.
        "notes": [note for note in notes if note not in told],
        "card": asdict(card(name)),
    }


def _differences(found: Counts, published: Counts) -> dict[str, dict[str, int]]:
    """Return found minus published, of each split and class where they differ."""
    lacks: dict[str, dict[str, int]] = {}
    for split, row in published.items():
        for c, n in row.items():
            if more := found.get(split, {}).get(c, 0) - n:
                lacks.setdefault(split, {})[c] = more
    return lacks


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
    problem = facts["problem"]
    usable = f"It cannot be used: {problem}" if problem else "It can be used."
    return "\n\n".join(
        [
            f"{facts['name']} in {facts['root']}: {total:,} images can be used",
            _align(table, right=True),
            _wrap(verdict),
            _write_people(facts["people"], total),
            _wrap(
                "Pixel by pixel, {repeat:,} images repeat an earlier one; {splits:,} "
                "pictures stand in more than one split.".format(**facts["copies"])
            ),
            _write_skipped(facts["skipped"]),
            *(_wrap(f"Note: {note}") for note in facts["notes"]),
            _wrap(usable),
        ]
    )


def _write_people(people: dict[str, int], total: int) -> str:
    if not people["named"]:
        return "Nobody is known by name; splits made here keep near copies together."
    return (
        f"Names tell {people['named']:,} people, on {people['images']:,} of {total:,} "
        "images; each other image counts as a person of its own."
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


def get(name: str, root: str) -> None:
    """Bring an open data set into a new folder, whole; git verifies every file.

    `DataError` if the set is not open, the folder holds something, git is missing or
    the commit cannot be had.
    """
    if name not in SOURCES:
        raise DataError(_why_not(name))
    url, commit = SOURCES[name]["url"], SOURCES[name]["commit"]
    folder = Path(root).expanduser()
    if shutil.which("git") is None:
        raise DataError(
            "git is missing, and it brings and verifies the images; install it first"
        )
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    fetch = ("fetch", "--depth=1", url, commit)
    slow = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")
    with storage.whole_folder(folder) as part:
        for order in (("init", "--quiet"), fetch, ("checkout", "--quiet", commit)):
            done = subprocess.run(
                ["git", "-C", str(part), *slow, *order],
                capture_output=True,
                text=True,
                errors="replace",
                env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},  # wait for no password
                check=False,
            )
            if done.returncode:
                words = (done.stderr or "it does not say why").strip().splitlines()
                raise DataError(
                    f"git could not bring {url} ({words[-1]}); check the network and "
                    "try again, nothing was left behind"
                )


def _why_not(name: str) -> str:
    if name not in NAMES:
        return f"get knows {', '.join(SOURCES)}; got {name!r}"
    if is_rendered(name):
        return f"{name} is drawn by this library; it needs no files"
    its = card(name)
    return (
        f"{name} may not be copied freely, so only you can get it: {its.source}; "
        f"{its.license[0].lower()}{its.license[1:]}"
    )


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
