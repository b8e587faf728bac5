"""Every number that the paper prints, and what others reported after it."""

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Return every number that the paper prints, by key."""
    path = Path(__file__).with_name("published.json")
    return {entry["key"]: entry for entry in json.loads(path.read_text("utf-8"))}


def entry(key: str) -> dict[str, Any]:
    """Return one entry of ``published.json``.

    Raises
    ------
    KeyError
        If the paper prints no number under that key.
    """
    try:
        return entries()[key]
    except KeyError:
        raise KeyError(
            f"published.json has no entry {key!r}; its keys look like "
            "'table1.Ls+Lsep.FE'"
        ) from None


def number(key: str) -> float:
    """Return the number of one entry of ``published.json``."""
    return float(entry(key)["value"].replace(",", "").rstrip("%"))


@cache
def later_results() -> dict[str, list[dict[str, Any]]]:
    """Return what others reported after the paper, each entry with its source.

    Lists of entries under ``accuracy`` (RAF-DB and AffectNet, percent as printed),
    ``compound`` (mean-class recall on compound RAF-DB) and ``cautions``.
    """
    path = Path(__file__).with_name("later.json")
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    return found
