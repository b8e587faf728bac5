"""Checkers of exercises refuse plausible wrong answers and take right ones."""

import ast
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch.nn import functional as F

from fersep.losses import first_centers

#: (chapter, checker) -> right answers, wrong answers.
Answers = Mapping[tuple[str, str], tuple[Sequence[Any], Sequence[Any]]]

ROOT = Path(__file__).resolve().parents[2]


@cache
def names_of(chapter: str) -> dict[str, Any]:
    """Return imports, functions, classes, constants of a chapter; run nothing else."""
    notebook = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4)
    space: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "solution" not in cell.metadata.get("tags", []):
            for part in ast.parse(cell.source).body:
                constant = isinstance(part, ast.Assign) and all(
                    isinstance(name, ast.Name) and name.id.isupper()
                    for name in part.targets
                )
                kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
                if constant or isinstance(part, kept):
                    with suppress(NameError):  # a constant of what was not run
                        exec(compile(ast.Module([part], []), chapter, "exec"), space)
    return space


def judge(chapter: str, checker: str, answer: Any) -> bool:
    return bool(names_of(chapter)[checker](answer))


def as_cases(answers: Answers) -> list[Any]:
    """Return each answer with its place and whether the checker must take it."""
    return [
        pytest.param(place, answer, right, id=f"{place[1]}-{right}-{number}")
        for place, both in answers.items()
        for right, some in zip((True, False), both, strict=True)
        for number, answer in enumerate(some)
    ]


def untried(answers: Answers) -> set[tuple[str, str]]:
    """Return the checkers of these chapters, of their own, that no answer tries."""
    chapters = {chapter for chapter, _ in answers}
    return {
        (chapter, name)
        for chapter in chapters
        for name in names_of(chapter)
        if name.startswith("is_") and name != "is_rendered"
    } ^ set(answers)


# Exercise 1.1.


def by_rounding(percent, n):
    exact = 100 * np.arange(n + 1) / n
    return np.flatnonzero(np.abs(exact - percent) < 0.005 + 1e-9).tolist()


def by_steps(percent, n):
    near, found = int(percent / 100 * n), []
    for k in range(max(near - 9, 0), min(near + 9, n) + 1):
        if abs(100 * k - percent * n) <= 0.005 * n:
            found.append(k)
    return found


# Exercise 1.2.


def needed(p, q):
    return 4 * (p * (1 - p) + q * (1 - q)) / (q - p) ** 2


def by_search(p, q):
    n = 1.0
    while abs(q - p) < 2 * math.sqrt((p * (1 - p) + q * (1 - q)) / n):
        n *= 1.005
    return n


# Exercise 2.1.


def deal(groups, seed):
    people = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(people))
    taken = {people[k] for k in order[: len(people) // 5]}
    return [name in taken for name in groups]


def by_lot(groups, seed):
    random = np.random.default_rng(seed)
    lot = {name: random.random() < 0.2 for name in dict.fromkeys(groups)}
    return torch.tensor([lot[name] for name in groups])


def by_image(groups, seed):
    return np.random.default_rng(seed).random(len(groups)) < 0.2


def first_fifth(groups, _):
    people = list(dict.fromkeys(groups))
    return [name in people[: len(people) // 5] for name in groups]


def no_seed(groups, _):
    return by_lot(groups, np.random.SeedSequence().entropy)


# Exercise 2.2.


def only_seen(seen, q, prior, visible):
    p, z = q[:, visible], seen[:, visible]
    return (z @ p.log().T + (1 - z) @ (1 - p).log().T + prior).argmax(1)


def one_by_one(seen, q, prior, visible):
    chance = prior.exp().repeat(len(seen), 1)
    for u in visible.nonzero()[:, 0]:
        chance *= torch.where(seen[:, u, None] > 0, q[:, u], 1 - q[:, u])
    return chance.argmax(1)


def absent(seen, q, prior, _):
    return (seen @ q.log().T + (1 - seen) @ (1 - q).log().T + prior).argmax(1)


# Exercise 3.1.


def on_a_grid(z, y):
    return min(np.geomspace(0.01, 100, 999), key=lambda k: F.cross_entropy(k * z, y))


def by_bisection(z, y):
    low, high = math.log(1e-3), math.log(1e3)
    shares = F.one_hot(y, z.shape[1])
    for _ in range(60):
        k = math.exp((low + high) / 2)
        rising = ((torch.softmax(k * z, 1) - shares) * z).sum() > 0
        low, high = (low, math.log(k)) if rising else (math.log(k), high)
    return k


# Exercises 7b.1 and 7b.2.


def plain(k, n):
    half = 1.96 * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half


def of(method, level=0.95):
    def interval(k, n):
        ends = stats.binomtest(k, n).proportion_ci(level, method)
        return ends.low, ends.high

    return interval


def jeffreys(k, n):
    low, high = stats.beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
    return (low if k else 0.0), (high if k < n else 1.0)


def smallest(gain, sd, start=2, wanted=0.8):
    power = names_of("07b_pairs")["power"]
    return next(n for n in range(start, 9999) if power(n, gain, sd) >= wanted)


def downward(gain, sd):
    power, n = names_of("07b_pairs")["power"], 300
    while n > 2 and power(n - 1, gain, sd) >= 0.8:
        n -= 1
    return n


def textbook(gain, sd):
    return max(math.ceil((1.96 + 0.84) ** 2 * (sd / gain) ** 2), 2)


# Exercise 8.2.


def by_chance(tail):
    def p_value(gained, lost):
        return tail(abs(gained - lost), gained + lost)

    return p_value


def gap_in_errors(gap, n):
    return 2 * stats.norm.sf(gap / math.sqrt(n))


# Exercise 14.2.


def paired(s, d):
    """Regular directions in a plane, each for two classes."""
    turn = 2 * math.pi * torch.arange(s // 2).repeat(2) / (s // 2)
    return F.pad(torch.stack([turn.cos(), turn.sin()], 1), (0, d - 2))


def two_ends(s, d):
    return F.one_hot(torch.zeros(s, dtype=int), d) * (-1) ** torch.arange(s)[:, None]


# Exercises 15.1 and 15.2.


def at_one(better, worse, least=0.05, leader=lambda b, w: (w - b).argmax()):
    shares = np.full(len(better), least)
    shares[leader(better, worse)] += 1 - shares.sum()
    return shares if shares @ (worse - better) > 0 else None


def by_program(better, worse):
    s = len(better)
    ends = [(0.05, 1)] * s
    found = optimize.linprog(better - worse, A_eq=[[1] * s], b_eq=[1], bounds=ends)
    return found.x.tolist() if found.fun < 0 else None


def by_lead(better, worse):
    lead = np.maximum(worse - better, 0)
    return lead / lead.sum() if lead.any() else None


def always(better, worse):
    found = at_one(better, worse)
    return np.full(len(better), 1 / len(better)) if found is None else found


def errors(variance):
    def apart(a, b, n):
        p, q = a / 100, b / 100
        return (p - q) * n, (p - q) / math.sqrt(variance(p, q) / n)

    return apart


def of_both(p, q):
    return p * (1 - p) + q * (1 - q)


def in_percent(a, b, n):
    return (a - b) * n, errors(of_both)(a, b, n)[1]


#: Chapter, checker -> (right answers, wrong answers).
# Exercise 14b.1.


def margin_at_zero(share, scale, s):
    return 1 - (np.log(share) - np.log((1 - share) / (s - 1))) / scale


ANSWERS = {
    ("01_claim", "is_right_images"): (
        [by_rounding, by_steps],
        [
            lambda percent, n: [round(percent / 100 * n)],
            lambda percent, n: by_rounding(percent, n)[:1],
            lambda percent, n: list(range(round(percent / 100 * n) - 1, n + 1))[:3],
            lambda percent, n: [],
        ],
    ),
    ("01_claim", "is_images_needed"): (
        [needed, by_search],
        [
            lambda p, q: 4 * q * (1 - q) / (q - p) ** 2,
            lambda p, q: needed(p, q) / 4,
            lambda p, q: 2 * needed(p, q),
            lambda p, q: 4 * (math.sqrt(p) + math.sqrt(q)) / (q - p) ** 2,
        ],
    ),
    ("02_faces", "is_test_mask"): (
        [deal, by_lot],
        [by_image, first_fifth, no_seed, lambda groups, _: [False] * len(groups)],
    ),
    ("02_faces", "is_guess_with_mask"): (
        [only_seen, one_by_one],
        [
            absent,
            lambda seen, q, prior, visible: only_seen(seen, q, 0 * prior, visible),
            lambda seen, q, prior, visible: absent(seen + ~visible / 2, q, prior, 0),
        ],
    ),
    ("03_softmax_features", "is_best_factor"): (
        [on_a_grid, by_bisection],
        [
            lambda z, y: 1.0,
            lambda z, y: 100.0,
            lambda z, y: 1 / z.std().item(),
            lambda z, y: 1 / on_a_grid(z, y),
        ],
    ),
    ("07b_pairs", "is_recall_interval"): (
        [of("wilson"), of("exact"), jeffreys],
        [
            plain,
            lambda k, n: tuple(np.clip(plain(k, n), 0, 1)),
            of("wilson", 0.8),
            lambda k, n: (0.0, 1.0),
        ],
    ),
    ("08_training", "is_p_value"): (
        [
            lambda gained, lost: stats.binomtest(gained, gained + lost).pvalue,
            by_chance(gap_in_errors),
            by_chance(lambda gap, n: stats.chi2.sf(max(gap - 1, 0) ** 2 / n, 1)),
        ],
        [
            lambda gained, lost: stats.binom.sf(gained - 1, gained + lost, 0.5),
            lambda gained, lost: stats.binom.pmf(gained, gained + lost, 0.5),
            lambda gained, lost: 2 * stats.binom.cdf(lost, gained + lost, 0.5),
            by_chance(lambda gap, n: gap_in_errors(gap, n) / 2),
            by_chance(lambda gap, n: gap_in_errors(gap, 2 * n)),
        ],
    ),
    ("15_transfer", "is_target"): (
        [at_one, by_program],
        [
            by_lead,
            always,
            lambda better, worse: at_one(better, worse, least=0),
            lambda better, worse: at_one(better, worse, leader=lambda b, w: w.argmax()),
        ],
    ),
    ("15_transfer", "is_apart"): (
        [errors(of_both), errors(lambda p, q: (p + q) * (1 - (p + q) / 2))],
        [
            errors(lambda p, q: p * (1 - p)),
            errors(lambda p, q: of_both(p, q) / 2),
            errors(lambda p, q: of_both(p, q) ** 2),
            in_percent,
        ],
    ),
    ("07b_pairs", "is_plan"): (
        [smallest, downward],
        [
            textbook,
            lambda gain, sd: textbook(gain, sd) + 2,
            lambda gain, sd: smallest(gain, sd, start=3),
            lambda gain, sd: smallest(gain, sd, wanted=0.9),
        ],
    ),
    ("14_ablations", "is_prediction"): (
        [
            lambda loss, lam, alpha: lam == 0 or loss == "inter",
            lambda loss, lam, alpha: not (lam and loss != "inter"),
        ],
        [
            lambda loss, lam, alpha: lam == 0,
            lambda loss, lam, alpha: loss == "inter",
            lambda loss, lam, alpha: lam == 0 or alpha == 0,
            lambda loss, lam, alpha: lam == 0 or loss in ("inter", "batch"),
            lambda loss, lam, alpha: lam == 0 or (loss == "inter" and alpha > 0),
        ],
    ),
    ("14b_systems", "is_largest_margin"): (
        [margin_at_zero, lambda *given: float(np.round(margin_at_zero(*given), 9))],
        [
            lambda share, scale, s: margin_at_zero(share, scale, s + 1),
            lambda share, scale, s: margin_at_zero(share, scale, 2),
            lambda share, scale, s: 1 - margin_at_zero(share, scale, s),
            lambda share, scale, s: 1 - share,
        ],
    ),
    ("14c_gates", "is_covered_share"): (
        [
            lambda heights, side, top: np.clip(0.5 + (heights - top) / side, 0, 1),
            lambda heights, side, top: [
                min(max(h + side / 2 - top, 0), side) / side for h in heights
            ],
        ],
        [
            lambda heights, side, top: (heights > top).astype(float),
            lambda heights, side, top: (heights + side / 2 - top) / side,
            lambda heights, side, top: np.clip((heights - top) / side, 0, 1),
            lambda heights, side, top: np.clip(0.5 - (heights - top) / side, 0, 1),
        ],
    ),
    ("14_ablations", "is_zero_sum"): (
        [paired, two_ends],
        [
            lambda s, d: first_centers(s, max(s, d), "simplex")[:, :d],
            lambda s, d: paired(6, 5),
            lambda s, d: 2 * paired(s, d),
            lambda s, d: torch.eye(1, d).repeat(s, 1),  # all at one place
            lambda s, d: F.normalize(paired(s, d) + 0.1, dim=1),
            lambda s, d: paired(2 * s, d)[:s],  # zero sum, no two alike
        ],
    ),
}


@pytest.mark.parametrize(("place", "answer", "right"), as_cases(ANSWERS))
def test_checker_tells_right_from_wrong(place, answer, right):
    assert judge(*place, answer) == right


def test_every_checker_of_these_chapters_is_tried():
    assert untried(ANSWERS) == set()
