"""What names of files and folders, and labels of tables, tell: split, class, person."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from fersep.data.cards import NAMES, WORDS, Counts
from fersep.data.rows import read_code
from fersep.data.types import DataError, Photo

#: Words that stand beside a split or a class in a name, and tell nothing.
_FILLERS = set(NAMES["fillers"])
_SPLITS = {word: split for split, words in NAMES["splits"].items() for word in words}
_SPLIT = re.compile(
    r"(?:{1})*({0})(?:{1})*".format(
        "|".join(sorted(_SPLITS, key=len, reverse=True)),
        "|".join(sorted(_FILLERS, key=len, reverse=True)),
    )
)
_NOBODY = _FILLERS.union(NAMES["nobody"], _SPLITS)
_PEOPLE = [re.compile(pattern, re.IGNORECASE) for pattern in NAMES["people"]]


@cache
def split_of(name: str) -> str:
    """Return the split that a folder or a cell names, as in ``Training_Set``; or ""."""
    found = _SPLIT.fullmatch("".join(_words(name)))
    return _SPLITS[found[1]] if found else ""


def split_of_file(name: str) -> str:
    """Return the split that a file name begins with, as ``PublicTest_1.jpg``; or ""."""
    return split_of(PurePosixPath(name).name.partition("_")[0])


@cache
def class_of(name: str, kind: str = "basic") -> str:
    """Return the class that a word means, as in ``0_Happy faces``, or nothing.

    ``kind`` is "basic" or "compound"; words are those of `cards.WORDS`.
    """
    words = _words(name)
    plain = " ".join(words)
    bare = " ".join(word for word in words if word not in _FILLERS)
    return _classes(kind).get(plain) or _classes(kind).get(bare, "")


@cache
def _classes(kind: str) -> dict[str, str]:
    return {
        " ".join(_words(word)): code
        for code, words in WORDS[kind].items()
        for word in (code, *words)
    }


@cache
def is_contempt(name: str) -> bool:
    """Say whether a word means contempt, which is not one of the paper's classes."""
    return " ".join(_words(name)) in {" ".join(_words(w)) for w in NAMES["contempt"]}


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case, without numbers and accents."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    return re.findall(r"[^\W\d_]+", bare)


def code_of(label: str, codes: Mapping[int, str], kind: str = "basic") -> str:
    """Return the class of a label: a number among the codes, else a word; or ""."""
    return codes.get(read_code(label), "") or class_of(label, kind)


def name_classes(
    labels: Iterable[str],
) -> tuple[tuple[str, ...], dict[str, str], str]:
    """Return the class names, the class of each label found, and what to say of them.

    The words of `cards.WORDS` are known, and stand in the paper's order; other labels
    are classes of their own, in alphabetical order behind them.
    """
    found = sorted(labels)
    by_kind = {
        kind: {label: code for label in found if (code := class_of(label, kind))}
        for kind in WORDS
    }
    kind = max(by_kind, key=lambda kind: len(by_kind[kind]))
    known, words = by_kind[kind], tuple(WORDS[kind])
    strange = [label for label in found if label not in known]
    if not strange:
        return words, known, ""
    if not known:
        said = "class names are numbers, which tell no expression: rename them to "
        said += "words such as happy, or read a known data set by its own name"
        numbers = all(read_code(label) >= 0 for label in strange)
        return tuple(strange), {n: n for n in strange}, said if numbers else ""
    verb = "is" if len(strange) == 1 else "are"
    said = f"{len(strange)} of {len(found)} class names {verb} not known"
    said += f" ({', '.join(strange[:5])}): each is a class of its own; rename it to "
    said += "a usual word, such as happy, if it means one of the paper's expressions"
    return (*words, *strange), known | {n: n for n in strange}, said


def raise_if_shifted(
    name: str, labels: Sequence[str], codes: Mapping[int, str], other: Iterable[int]
) -> None:
    """Raise if the numbers of a table are not those of the data set.

    That is so if numbers that are no codes come while codes are absent, or come often,
    or if all are there but counted from one more or less: then what looks like a known
    code may mean something else, too. ``other`` are codes of what is left out.
    """
    numbers = Counter(read_code(label) for label in labels)
    del numbers[-1]
    unknown = set(numbers) - set(codes) - set(other)
    absent = set(codes) - set(numbers)
    often = 10 * sum(numbers[n] for n in unknown) > numbers.total()
    moved = any({code + by for code in codes} <= set(numbers) for by in (-1, 1))
    if (unknown and (often or absent)) or (absent and moved):
        found, known = (", ".join(map(str, sorted(n))) for n in (numbers, codes))
        raise DataError(
            f"the labels are {found[:60]}, those of {name} are {known}: they may be "
            "counted from another number or stand in another order, so no class is "
            "certain; write the data set's own numbers, or words such as happy"
        )


def raise_if_reordered(name: str, found: Counts, published: Counts) -> None:
    """Raise if the counts are the published ones, but of other classes."""
    for split, row in published.items():
        here = found.get(split, {})
        if set(here) != set(row):
            continue
        near = [0.02 * n + 1 for n in sorted(row.values())]
        pairs = zip(sorted(here.values()), sorted(row.values()), near, strict=True)
        alike = all(abs(a - b) <= c for a, b, c in pairs)
        moved = [c for c, n in row.items() if abs(here[c] - n) > 0.1 * n + 2]
        if alike and len(moved) > 1:
            raise DataError(
                f"the {split} images of {', '.join(moved)} are as many as {name} has "
                "of other classes: the labels stand in another order; write the data "
                "set's own numbers, or words such as happy"
            )


def person_of(name: str) -> str:
    """Return the person that a file name tells of, in lower case; or nothing.

    The patterns of ``cards.toml`` are tried in turn. Words such as face, photo or
    happy are nobody.
    """
    stem = PurePosixPath(name).stem
    for pattern in _PEOPLE:
        if found := pattern.fullmatch(stem):
            words = _words(found[1])
            if not words or any(w not in _NOBODY and not class_of(w) for w in words):
                return found[1].lower()
    return ""


def tell_people(photos: Sequence[Photo]) -> tuple[list[Photo], str]:
    """Give each photograph without a person the one that its file name tells.

    Return also what to say: a name is doubted if it stands on most of the images, and
    all names are if most images have one, in one class only, and no class has two.
    """
    told = [photo.group or person_of(photo.path.name) for photo in photos]
    pairs = zip(told, photos, strict=True)
    where = {(who, photo.code) for who, photo in pairs if who}
    counts = Counter(who for who in told if who)
    by_class = len(where) == len(counts) <= len({photo.code for photo in photos})
    most = 2 * counts.total() > len(photos)
    doubted = {
        who for who, n in counts.items() if 2 * n > len(photos) or (by_class and most)
    }
    found = [
        photo._replace(group="" if who in doubted else who)
        for photo, who in zip(photos, told, strict=True)
    ]
    if not doubted:
        return found, ""
    first, n = min(doubted), sum(counts[who] for who in doubted)
    return found, (
        f"{n} of {len(photos)} images are named like {first}, which is taken for no "
        f"person; if it is one, name the people in the column person of faces.csv"
    )
