"""The classes of the paper, in its order, and how many images of each RAF-DB has."""

from __future__ import annotations

from collections.abc import Sequence

#: The seven basic and the eleven compound expressions.
BASIC_CLASSES = ("NE", "HA", "SA", "SU", "FE", "AN", "DI")
COMPOUND_CLASSES = (
    "HS", "HD", "SF", "SA", "SS", "SD", "FA", "FS", "AS", "AD", "DS",
)  # fmt: skip

#: Images of each class in RAF-DB: (training, test).
RAF_DB_BASIC = (
    (2524, 4772, 1982, 1290, 281, 705, 717),
    (680, 1185, 478, 329, 74, 162, 160),
)
RAF_DB_COMPOUND = (
    (562, 219, 107, 130, 68, 597, 117, 444, 138, 667, 113),
    (135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35),
)


def counts(
    classes: Sequence[str], **splits: Sequence[int]
) -> dict[str, dict[str, int]]:
    """Return split -> class -> number, of numbers in the order of the classes."""
    return {
        split: dict(zip(classes, numbers, strict=True))
        for split, numbers in splits.items()
    }
