"""Where each equation, table and figure of the paper stands in code, tests and book."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fersep_book.records import Record


def items() -> list[dict[str, Any]]:
    """Eq. 1-9, Algorithm 1, Tables 1-3 and Figures 1-6, each with its places.

    ``item`` and ``what`` name each; ``functions`` are names below `fersep`, ``tests``
    are ``file::test`` below the folder `tests`; ``label`` is that of the equation or
    figure in the ``chapter``, and ``checks`` and ``values`` are what the chapter
    records.
    """
    found: list[dict[str, Any]] = json.loads(
        Path(__file__).with_name("coverage.json").read_text("utf-8")
    )
    return found


def missing(item: dict[str, Any], records: Sequence[Record]) -> list[str] | None:
    """What the chapter of an item should have recorded but did not.

    ``records`` are those of a build; None if the chapter is not among them.
    """
    for record in records:
        if record.chapter == item["chapter"]:
            passed = {check.id for check in record.checks if check.ok}
            kept = {value.key for value in record.values}
            return [
                *(f"check {name}" for name in item["checks"] if name not in passed),
                *(f"value {name}" for name in item["values"] if name not in kept),
            ]
    return None
