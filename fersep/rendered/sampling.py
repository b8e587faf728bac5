"""Who is on image i, what the face shows, and how it is taken.

Every number comes from a hash of (seed, index) and follows from them alone, so that one
image never depends on how many are asked for. What a face shows are units of the facial
action coding system.
"""

import math
import tomllib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES, DataError
from fersep.data.cards import PUBLISHED

TABLES = tomllib.loads(Path(__file__).with_name("tables.toml").read_text("utf-8"))

#: What a person and a view are made of, in the order of their columns.
PERSON, VIEW = tuple(TABLES["person"]), tuple(TABLES["view"])

#: The action units that move a face, and what each does.
ACTION_UNITS = {int(u): words for u, words in TABLES["action_units"].items()}

UNITS = tuple(ACTION_UNITS)

#: Share of faces of each expression that show a unit.
EXPRESSIONS: dict[str, dict[int, float]] = {
    code: {int(u): share for u, share in row.items()}
    for code, row in TABLES["expressions"].items()
}

#: The expression of each label, a key of `EXPRESSIONS`. SA is sad among the basic and
#: sadly angry (SA_) among the compound classes.
EXPRESSIONS_OF = {
    "rendered_basic": BASIC_CLASSES,
    "rendered_compound": tuple("SA_" if c == "SA" else c for c in COMPOUND_CLASSES),
}

#: How far each part of a face or view goes at each difficulty.
DIFFICULTIES: dict[str, dict[str, float]] = {
    name: {part: row[name] for part, row in TABLES["spreads"].items()}
    for name in ("easy", "default", "hard")
}

#: The class counts of RAF-DB that each data set follows: (training, test).
RAF_DB = {
    f"rendered_{half}": [[*n.values()] for n in PUBLISHED[f"raf_db_{half}"].values()]
    for half in ("basic", "compound")
}

#: All images of RAF-DB, training and test.
FULL_SIZE = {name: sum(map(sum, counts)) for name, counts in RAF_DB.items()}

IMAGES_PER_PERSON = 6


def check_choice(option: str, value: str, known: Collection[str]) -> None:
    """Raise `DataError` for a value that an option does not have."""
    if value not in known:
        raise DataError(f"{option} must be one of {', '.join(known)}; got {value!r}")


def spreads(difficulty: str) -> dict[str, float]:
    """Return how far each part of a face or view goes at a difficulty."""
    check_choice("difficulty", difficulty, DIFFICULTIES)
    return DIFFICULTIES[difficulty]


def mix(z: Tensor) -> Tensor:
    """Return splitmix64 of int64 numbers; products wrap around."""
    z = z + -7046029254386353131
    z = (z ^ (z >> 30 & 0x3FFFFFFFF)) * -4658895280553007687
    z = (z ^ (z >> 27 & 0x1FFFFFFFFF)) * -7723592293110705685
    return z ^ (z >> 31 & 0x1FFFFFFFF)


def uniform(seed: int, stream: int, counters: Tensor, columns: int) -> Tensor:
    """Return uniform numbers (n, columns) for counters (n,) int64.

    They depend on seed, stream, counter and column only, and are multiples of 2^-24 in
    [0, 1).
    """
    column = torch.arange(columns, device=counters.device)
    z = mix(torch.full_like(counters, seed * 1_000_003 + stream))
    z = mix(z + counters)[:, None] + column
    return (mix(z) >> 40 & 0xFFFFFF).float() / 2**24


def people(seed: int, persons: Tensor) -> Tensor:
    """Return persons of given numbers (n,) int64: (n, 27) in [0, 1), see `PERSON`."""
    return uniform(seed, 1, persons, len(PERSON))


def persons_of(index: Tensor, identity: str = "varied") -> Tensor:
    """Return who is on each image; with "frozen" person 0 is on all of them."""
    check_choice("identity", identity, ("varied", "frozen"))
    persons = index // IMAGES_PER_PERSON
    return torch.zeros_like(persons) if identity == "frozen" else persons


def front_view(n: int = 1) -> Tensor:
    """Return n views (n, 26) from straight ahead in soft light, nothing in the way."""
    view = torch.zeros(n, len(VIEW))
    for name, value in TABLES["front"].items():
        view[:, VIEW.index(name)] = value
    return view


def views(seed: int, index: Tensor, difficulty: str) -> Tensor:
    """Draw the views of images (n,) int64: (n, 26), see `VIEW`."""
    spread = spreads(difficulty)
    flat = uniform(seed, 4, index, len(VIEW))
    bell = flat + uniform(seed, 5, index, len(VIEW)) - 1
    view = dict(zip(VIEW, flat.T, strict=True))
    around = dict(zip(VIEW, bell.T, strict=True))
    for name in ("yaw", "pitch", "roll", "zoom", "shift_x", "shift_y", "light_x"):
        view[name] = around[name] * 2 * spread[name.partition("_")[0]]
    view["light_y"] = -0.4 + around["light_y"] * spread["light"]
    for name in ("gaze_x", "gaze_y", "occluder_x", "occluder_y"):
        view[name] = around[name]
    for name in ("contrast", "brightness", "warmth"):
        view[name] = (2 * view[name] - 1) * spread[name]
    for name in ("blur", "noise"):
        view[name] = view[name] ** 2 * spread[name]
    view["grey"] = (view["grey"] < spread["grey"]).float()
    # Above 0 there is one, and the number says how large or strong it is.
    for name in ("occluder", "shadow", "compression"):
        share, drawn = spread[name], view[name]
        view[name] = (drawn < share) * (0.3 + 0.7 * drawn / max(share, 1e-6))
    view["shadow_turn"] = 2 * math.pi * view["shadow_turn"]
    view["shadow_at"] = 0.8 * view["shadow_at"] - 0.2
    return torch.stack([view[name] for name in VIEW], 1)


def class_counts(name: str, counts: str = "raf") -> tuple[int, ...]:
    """Return how often each class comes, in proportion.

    As in RAF-DB ("raf"), all alike ("balanced"), or RAF-DB's with two classes changed
    about ("swapped"): happy and fear, or the most and the least frequent of the
    compound classes. `DataError` if ``counts`` is none of these.
    """
    check_choice("counts", counts, ("raf", "balanced", "swapped"))
    own = list(RAF_DB[name][0])
    if counts == "balanced":
        return (1,) * len(own)
    if counts == "swapped":
        # In the basic set happy is the most and fear the least frequent class too.
        most, least = own.index(max(own)), own.index(min(own))
        own[most], own[least] = own[least], own[most]
    return tuple(own)


def labels_of(name: str, size: int, counts: str = "raf") -> Tensor:
    """Return the labels (size,) of the first images of a data set.

    Classes come in the proportions of `class_counts`. The first three rounds show every
    class, so that each can stand in every split.
    """
    own = np.asarray(class_counts(name, counts), dtype=float)
    share = own / own.sum()
    seen = np.zeros(len(share))
    labels = np.arange(size) % len(share)
    for i in range(size):
        if i >= 3 * len(share):
            labels[i] = np.argmax(share * (i + 1) - seen)
        seen[labels[i]] += 1
    return torch.from_numpy(labels)


def expected_units(classes: list[str], difficulty: str = "easy") -> Tensor:
    """Return the probability of each unit (n, 17) in faces of given expressions.

    A unit that the table does not list for an expression is a stray one. It has the
    probability that the difficulty gives it, 0 for "easy".
    """
    stray = spreads(difficulty)["stray"]
    rows = [[EXPRESSIONS[c].get(u, stray) for u in UNITS] for c in classes]
    return torch.tensor(rows).reshape(len(classes), len(UNITS))


def action_units(
    classes: list[str], seed: int, index: Tensor, persons: Tensor, difficulty: str
) -> Tensor:
    """Draw the action units (n, 2, 17) of images.

    They are intensities from 0 to 1 of the left and right half of the picture. Classes
    are n keys of `EXPRESSIONS`; index and persons, (n,) int64, number each image and
    its person.
    """
    chance = expected_units(classes, difficulty).to(index.device)
    draw = uniform(seed, 2, index, 3 * len(UNITS)).unflatten(1, (3, len(UNITS)))
    habit = 0.85 + 0.15 * uniform(seed, 3, persons, len(UNITS))
    shown = (draw[:, 0] < chance).float()
    low = spreads(difficulty)["weakest"]
    strength = shown * (low + (1 - low) * draw[:, 1]) * habit
    lean = 0.15 * (2 * draw[:, 2] - 1)
    return torch.stack([strength * (1 - lean), strength * (1 + lean)], 1).clamp(0, 1)


def bayes_accuracy(name: str, counts: str = "raf", difficulty: str = "easy") -> float:
    """Return the accuracy of the best classifier that sees which units are shown.

    All 2^17 sets of units are gone through, so the number is exact. It bounds what an
    image can tell: units are drawn from the expression, all the rest of an image is
    not.
    """
    joint = torch.tensor(class_counts(name, counts), dtype=torch.float64)[:, None]
    joint = joint / joint.sum()
    for chance in expected_units([*EXPRESSIONS_OF[name]], difficulty).double().T:
        both = torch.stack([1 - chance, chance], 1)
        joint = (joint[:, :, None] * both[:, None, :]).flatten(1)
    return float(joint.max(0).values.sum())
