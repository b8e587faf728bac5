"""What the live figures of a face, a map and the verdict draw, as plain numbers."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from fersep import rendered
from fersep.data import Faces, is_rendered
from fersep.rendered.sampling import ACTION_UNITS, PERSON
from fersep_book import evidence, outcomes
from fersep_book.evidence import Array, Experiment, Recording
from fersep_book.figures import parts
from fersep_book.outcomes import Claim

#: Outcomes for which the classes are the sample: the numbers of a run's classes.
ORDERED: dict[str, Callable[[Recording], Array]] = {
    "order of agreement": lambda run: run.agreement[-1],
    "order of recall": lambda run: run.recall,
}


def face(
    person: int, seed: int, expressions: Mapping[str, str], first: str
) -> dict[str, Any]:
    """A rendered person and the units of expressions, for the figure "face".

    Parameters
    ----------
    person, seed : int
        Number of the person, and seed of the faces.
    expressions : mapping of str to str
        Words of an expression -> its code.
    first : str
        The words of the one that is shown first.
    """
    who = rendered.people(seed, torch.tensor([person]))[0]
    shares = rendered.expected_units(list(expressions.values()))
    return {
        "units": [[unit, words] for unit, words in ACTION_UNITS.items()],
        "person": dict(zip(PERSON, who.tolist(), strict=True)),
        "first": list(expressions).index(first),
        "expressions": {
            # Typical is what at least half of the people show.
            words: {"typical": (0.8 * (row >= 0.5)).tolist(), "shares": row.tolist()}
            for words, row in zip(expressions, shares, strict=True)
        },
    }


def maps(
    named: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike]],
    labels: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    classes: Sequence[str],
    faces: Faces | None = None,
) -> dict[str, Any]:
    """Maps of the same images, for the figure "map".

    Parameters
    ----------
    named : mapping of title -> (points (n, 2), learned (s, 2) or None, true (s, 2))
    labels : array, (n,)
    predictions : mapping of title -> array, (n,)
    classes : sequence of str
        Codes, which become words where they are the paper's.
    faces : Faces, optional
        The images themselves, in the same order.

    Raises
    ------
    ValueError
        If the faces are not rendered: no image of a person is shown.
    """
    if faces is not None and not is_rendered(faces.name):
        raise ValueError(
            f"a page shows rendered faces only, got {faces.name}; leave out faces"
        )
    views = {}
    for title, (points, learned, true) in named.items():
        spots = np.asarray(points, float)
        middle, reach = (
            (spots.max(0) + spots.min(0)) / 2,
            np.ptp(spots, axis=0).max() / 2,
        )
        views[title] = {
            "points": ((spots - middle) / reach).round(3).tolist(),
            "predictions": np.asarray(predictions[title]).tolist(),
            **{
                kind: ((np.asarray(centers, float) - middle) / reach).round(3).tolist()
                for kind, centers in (("learned", learned), ("true", true))
                if centers is not None
            },
        }
    data = {"views": views, "labels": np.asarray(labels).tolist()}
    data |= {"classes": parts.class_words(classes)}
    return data | ({"faces": _sheet(faces.images)} if faces is not None else {})


def _sheet(images: Tensor, side: int = 64) -> dict[str, Any]:
    """All images on one sheet, row by row."""
    columns = math.ceil(len(images) ** 0.5)
    sheet = Image.new("RGB", (columns * side, math.ceil(len(images) / columns) * side))
    for i, image in enumerate(images):
        small = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((side, side))
        sheet.paste(small, (i % columns * side, i // columns * side))
    file = BytesIO()
    sheet.save(file, "JPEG", quality=70)
    picture = base64.b64encode(file.getvalue()).decode()
    source = f"data:image/jpeg;base64,{picture}"
    return {"sheet": source, "columns": columns, "side": side}


def verdict(found: Experiment, claims: Sequence[Claim]) -> dict[str, Any]:
    """What each run of an experiment says about claims, for the figure "verdict".

    Parameters
    ----------
    found : Experiment
        With two seeds at least.
    claims : sequence of Claim
        Those that it measures; others are left out.
    """
    asked = [claim for claim in claims if found.name in claim.experiments.values()]
    names = [claim.id for claim in asked]
    arms = [arm for arm in found.runs if arm != outcomes.BASE]
    right = {
        arm: [_plain_bits(run.right) for run in found.of(arm)] for arm in found.runs
    }
    facts = found.of(outcomes.BASE)[0].facts["data"]
    return {
        "seeds": found.seeds,
        "planned": len(found.plan["seeds"]),
        "arms": {arm: evidence.RULES.get(arm, arm) for arm in arms},
        "right": right,
        "images": len(found.of(outcomes.BASE)[0].labels),
        "counts": facts["class_counts"],
        "claims": [
            {
                "says": claim.says or claim.id,
                "direction": claim.direction,
                "margin": claim.margin,
                "rests_on": [names.index(id) for id in claim.rests_on if id in names],
                **_of_each_run(found, claim, arms),
                **_stops(found, claim, arms),
            }
            for claim in asked
        ],
    }


def _of_each_run(found: Experiment, claim: Claim, arms: list[str]) -> dict[str, Any]:
    """The number, or the numbers of the classes, that each run of an arm gives."""
    if claim.outcome == "gain in accuracy":
        return {"kind": "images"}
    if claim.outcome in ORDERED:
        what = ORDERED[claim.outcome]
        values = {a: [what(run).tolist() for run in found.of(a)] for a in arms}
        return {"kind": "order", "values": values}
    measure = outcomes.OUTCOMES[claim.outcome]
    singles = [
        replace(found, runs={arm: {s: runs[s]} for arm, runs in found.runs.items()})
        for s in found.seeds
    ]
    values = {a: [measure(one, a, 0.0).mean for one in singles] for a in arms}
    if (by_image := outcomes.BY_IMAGE.get(claim.outcome)) is None:
        return {"kind": "seeds", "values": values}
    noise = {a: [outcomes.image_noise(found, a, by_image)] for a in arms}
    return {"kind": "seeds", "values": values, "noise": noise}


def _stops(found: Experiment, claim: Claim, arms: list[str]) -> dict[str, Any]:
    """The margins to choose from: in round steps, as far as the estimates reach."""
    measure = outcomes.OUTCOMES[claim.outcome]
    ends = [-0.5 * abs(claim.margin), 2 * claim.margin]
    for each in (measure(found, arm, claim.margin) for arm in arms):
        reach = np.nan_to_num(each.high - each.low, nan=0.5)
        ends += [each.mean - reach, each.mean + reach]
    digits = int(np.ceil(-np.log10((max(ends) - min(ends)) / 60)))
    step = 10.0**-digits
    first = int(np.floor((min(ends) - claim.margin) / step))
    last = int(np.ceil((max(ends) - claim.margin) / step))
    stops = [round(claim.margin + k * step, digits + 2) for k in range(first, last + 1)]
    if not claim.outcome.startswith("gain"):  # cosines and correlations
        stops = [stop for stop in stops if abs(stop) <= 1]
    return {"stops": stops, "digits": max(digits, 2)}


def _plain_bits(flags: Any) -> str:
    return base64.b64encode(np.packbits(flags).tobytes()).decode()
