"""The classes of the paper, and what ``cards.toml`` tells of each data set."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The seven basic and the eleven compound expressions, in the order of the paper.
BASIC_CLASSES = ("NE", "HA", "SA", "SU", "FE", "AN", "DI")
COMPOUND_CLASSES = (
    "HS", "HD", "SF", "SA", "SS", "SD", "FA", "FS", "AS", "AD", "DS",
)  # fmt: skip

#: Split (or "all") -> class -> number of images.
Counts = Mapping[str, Mapping[str, int]]

_FACTS = tomllib.loads(Path(__file__).with_name("cards.toml").read_text("utf-8"))

#: Data set -> what should be found in it, where that is published.
PUBLISHED: dict[str, Counts] = _FACTS["published"]

#: Open data set -> its repository ``url`` and the ``commit`` of it to get.
SOURCES: dict[str, dict[str, str]] = _FACTS["sources"]

#: "basic" or "compound" -> class -> words for it, in the order of the paper.
WORDS: dict[str, dict[str, list[str]]] = _FACTS["words"]

#: What the names of files and folders tell; see ``fersep.data.names``.
NAMES: dict[str, Any] = _FACTS["names"]


@dataclass(frozen=True)
class Card:
    """Where images come from and what their labels mean.

    Attributes
    ----------
    name, source, people, consent, license, labels, biases : str
    citation : str
        Empty where there is nothing to cite.
    redistributable : bool
        False keeps the faces out of pages.
    """

    name: str
    source: str
    people: str
    consent: str
    license: str
    labels: str
    biases: str
    citation: str = ""
    redistributable: bool = False


def card(name: str) -> Card:
    """Return the card of a data set; its basic and compound halves share one."""
    both = name.removesuffix("_basic").removesuffix("_compound")
    return Card(**_FACTS["cards"][both])
