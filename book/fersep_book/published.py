"""Every number that the paper prints, and what others reported after it."""

import json
from decimal import Decimal
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

    KeyError if the paper prints no number under that key.
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
    ``compound`` (mean-class recall on compound RAF-DB), ``cautions`` and ``compared``
    (who set which systems side by side).
    """
    path = Path(__file__).with_name("later.json")
    found: dict[str, list[dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    return found


def data_sets(key: str) -> tuple[str, str]:
    """Return the data set of a published number, and the one it is tested on if other.

    Both by the names that `fersep.data` knows; the second is empty for most.
    """
    data = "affectnet" if "affectnet" in key or key.startswith("fig5b.") else "raf_db"
    if data == "raf_db":
        kind = "compound" if "compound" in key or key.startswith("fig6.") else "basic"
        data = f"raf_db_{kind}"
    other = next((name for name in ("ck_plus", "mmi") if key.endswith(name)), "")
    return data, other


def needed_data(key: str) -> str:
    """Return what to have for deciding a published number, like "RAF-DB"."""
    names = {"ck_plus": "CK+", "mmi": "MMI", "affectnet": "AffectNet"}
    known = [title for name, title in names.items() if name in key]
    # A model trained on one set and tested on another speaks about the second.
    return known[0] if known else "AffectNet" if "fig5b" in key else "RAF-DB"


def rounds_to(count: int, n: int, printed: str) -> bool:
    """Tell whether ``count`` of ``n`` gives a printed percentage or share.

    An exact half may have been rounded either way.
    """
    share, half_digit = _share(printed)
    return abs(Decimal(count) / n - share) <= half_digit


def attainable(printed: str, n: int) -> list[int]:
    """Return every number of images out of ``n`` that gives a printed percentage."""
    near = round(_share(printed)[0] * n)
    around = range(max(near - 2, 0), min(near + 2, n) + 1)
    return [count for count in around if rounds_to(count, n, printed)]


def _share(printed: str) -> tuple[Decimal, Decimal]:
    """Return a printed number as a share of one, and half of its last digit.

    A percentage has its sign or a value above one.
    """
    number = Decimal(printed.rstrip("%"))
    scale = 100 if printed.endswith("%") or number > 1 else 1
    last_digit = Decimal(1).scaleb(int(number.as_tuple().exponent))
    return number / scale, last_digit / 2 / scale
