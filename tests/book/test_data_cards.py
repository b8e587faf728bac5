"""The page of data cards: one section for each data set, as its `.card` says."""

import re
from pathlib import Path

import pytest

from fersep import data
from fersep.data import Card

PAGE = Path(__file__).parents[2] / "book" / "data_cards.md"


def sections(page: str) -> dict[str, str]:
    """The text under each heading of the second level."""
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    assert len(set(parts[1::2])) == len(parts[1::2])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def section_of(page: str, name: str) -> str:
    """The one section whose heading names a data set."""
    found = [
        t for head, t in sections(page).items() if name in re.findall(r"\w+", head)
    ]
    assert len(found) == 1, f"{len(found)} sections with {name} in their heading"
    return found[0]


def listed(section: str) -> dict[str, str]:
    """The definition list of a section: term and text."""
    pairs = re.findall(r"^(\S.*)\n: ((?:.+\n)+?)(?=\n)", section, flags=re.MULTILINE)
    assert len({term for term, _ in pairs}) == len(pairs)
    return {term: " ".join(text.split()) for term, text in pairs}


def wanted(card: Card) -> dict[str, str]:
    """What the page has to say of a card; a full stop ends every entry."""
    entries = {
        "Source": card.source,
        "People": card.people,
        "Consent": card.consent,
        "License": card.license,
        "What labels mean": card.labels,
        "Biases": card.biases,
        "May be shown": "Yes" if card.redistributable else "No",
        "Citation": card.citation,
    }
    return {term: f"{text.rstrip('.')}." for term, text in entries.items() if text}


@pytest.mark.parametrize("name", data.NAMES)
def test_the_page_says_what_the_card_says(name):
    card = data.card(name)
    page = PAGE.read_text("utf-8")
    assert listed(section_of(page, name)) == wanted(card)


@pytest.mark.parametrize("name", data.NAMES)
def test_faces_of_real_people_are_not_shown_unasked(name):
    card = data.card(name)
    assert card.redistributable == data.is_rendered(name)
