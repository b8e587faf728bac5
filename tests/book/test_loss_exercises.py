"""Chapters 4-7: checkers refuse plausible wrong answers; what they paste works."""

import math

import pytest
import torch
from test_checkers import as_cases, judge, names_of, untried
from torch.nn import functional as F

from fersep import equations
from fersep.losses import SeparateLoss


def mean_cosine(take_off, divide, unit=F.normalize):
    def answer(c):
        s, r = len(c), unit(c).sum(0)
        return (r @ r - take_off(s)) / divide(s)

    return answer


def all_pairs(c):
    unit = F.normalize(c)
    cosines = unit @ unit.T
    return (cosines.sum() - cosines.trace()) / (len(c) * (len(c) - 1))


def circle(*degrees):
    turn = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([turn.cos(), turn.sin()], 1)


def less_mean():
    some = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    return some - some.mean(0)


def closest(fill, shift=1.0, unit=F.normalize):
    def answer(c):
        cosines = unit(c) @ unit(c).T
        return ((cosines + shift) / (1 + shift)).fill_diagonal_(fill).max()

    return answer


def pairwise_closest(c):
    return max(
        equations.similarity(c[k], c[j]) for k in range(len(c)) for j in range(k)
    )


def tangent(x, c):
    x_unit, c_unit = F.normalize(x, dim=0), F.normalize(c, dim=0)
    return c_unit - (c_unit @ x_unit) * x_unit


def constant(x, c, m):
    return F.normalize(tangent(x, c), dim=0) / (math.pi * m * x.norm())


def by_autograd(x, c, m):
    x = x.clone().requires_grad_(True)
    cosine = torch.cosine_similarity(x, c, dim=0)
    return -torch.autograd.grad(cosine.acos(), x)[0] / (math.pi * m)


def log_tan(degrees):
    return math.log(math.tan(math.radians(degrees) / 2))


def log_cot(degrees):  # the same integral, written otherwise
    half = math.radians(degrees)
    return math.log((1 - math.cos(half)) / math.sin(half))


def between(time):
    return lambda a, b: (time(a) - time(b)) / (time(90) - time(10))


def kappa(w):
    return 2 / (len(w) * (len(w) - 1))


def solved(w, mu, r):
    return ((w[:, None] * mu - kappa(w) * r) * mu).sum(1) < 0


ANSWERS = {
    ("04_separate_loss", "is_mean_cosine"): (
        [mean_cosine(lambda s: s, lambda s: s * (s - 1)), all_pairs],
        [
            mean_cosine(lambda s: 0, lambda s: s**2),  # forgets the diagonal
            mean_cosine(lambda s: s, lambda s: s**2),
            mean_cosine(lambda s: s, lambda s: 20),  # right for five centers
            mean_cosine(lambda s: s, lambda s: s * (s - 1), unit=lambda c: c),
            lambda c: equations.inter_loss(c),
        ],
    ),
    ("04_separate_loss", "is_at_floor_unlike_pentagon"): (
        [
            lambda: circle(0, 120, 240, 40, 220),
            lambda: 3 * circle(5, 125, 245, 90, 270),
            lambda: torch.cat([2 * circle(0, 120, 240), circle(0, 180)]),
        ],
        [
            less_mean,
            lambda: circle(0, 72, 144, 216, 288),
            lambda: circle(144, 0, 288, 72, 216) * 7,
            lambda: circle(0, 120, 240),
            lambda: torch.zeros(5, 2),
        ],
    ),
    ("04_separate_loss", "is_closest"): (
        [closest(0.0), closest(-1.0), pairwise_closest],
        [
            closest(1.0),  # a center with itself
            closest(-1.0, shift=0.0),  # the cosine
            closest(0.0, unit=lambda c: c),
            lambda c: equations.inter_loss(c),
            lambda c: 0.75,
        ],
    ),
    ("05_gradient", "is_exposing"): (
        [lambda c: 2 * c + 0.1, lambda c: -0.1 * F.normalize(c)],
        [
            F.normalize,
            lambda c: -F.normalize(c),
            lambda c: 5 * torch.stack([c[:, 1], -c[:, 0], *(0 * c.T[2:])], 1),
            lambda c: 0 * c,
            lambda c: torch.cat([2 * c[:-1] + 0.1, F.normalize(c[-1:])]),
        ],
    ),
    ("05_gradient", "is_angle_push"): (
        [
            lambda x, c, m: (
                F.normalize(tangent(x, c), dim=0) / (math.pi * m * x.norm())
            ),
            by_autograd,
        ],
        [
            lambda x, c, m: tangent(x, c) / (math.pi * m * x.norm()),  # with sin
            lambda x, c, m: F.normalize(tangent(x, c), dim=0) / (math.pi * m),
            lambda x, c, m: -by_autograd(x, c, m),
            lambda x, c, m: math.pi * by_autograd(x, c, m),
            lambda x, c, m: by_autograd(x, c, 1),
        ],
    ),
    ("05_gradient", "is_times_as_long"): (
        [between(log_tan), between(log_cot)],
        [
            between(lambda a: a),  # constant speed
            between(lambda a: math.log(a)),
            between(lambda a: -math.cos(math.radians(a))),
            lambda a, b: 2.0,
        ],
    ),
    ("06_centers", "is_points_away"): (
        [lambda w, mu, r: w * mu.square().sum(1) < kappa(w) * (mu @ r), solved],
        [
            lambda w, mu, r: w < kappa(w),  # one neighbor
            lambda w, mu, r: w < kappa(w) * r.norm(),
            lambda w, mu, r: w * mu.norm(dim=1) < kappa(w) * r.norm(),  # no angle
            lambda w, mu, r: w < 0 * w,
            lambda w, mu, r: ~solved(w, mu, r),
        ],
    ),
    ("06b_open_choices", "is_same_turning"): (
        [lambda a, size: a * size**2, lambda a, size: a * size * size],
        [
            lambda a, size: a,
            lambda a, size: a * size,
            lambda a, size: a / size**2,
            lambda a, size: 25 * a,
        ],
    ),
    ("07_toy", "is_turned"): (
        [
            lambda v, t: (*(part @ t.T for part in v[:3]), v[3]),
            lambda v, t: tuple([*((t @ part.T).T for part in v[:3]), v[3]]),
        ],
        [
            lambda v, t: v,
            lambda v, t: (v[0] @ t.T, *v[1:]),
            lambda v, t: (v[0] @ t.T, v[1] @ t.T, *v[2:]),
            lambda v, t: (v[0] @ t.T, v[1], v[2] @ t.T, v[3]),
            lambda v, t: (*(part @ t for part in v[:3]), v[3]),
        ],
    ),
}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """What the checker of chapter 7 takes from the chapter's run, made small."""
    known = {
        "n_classes": 3, "n_points": 12, "batch": 6, "n_steps": 20, "eta": 0.1,
        "eta_points": 1.0, "labels": torch.arange(12) % 3,
    }  # fmt: skip
    for name, value in known.items():
        monkeypatch.setitem(names_of("07_toy"), name, value)


@pytest.mark.parametrize(("place", "answer", "right"), as_cases(ANSWERS))
def test_checker_tells_right_from_wrong(place, answer, right):
    assert judge(*place, answer) == right


def test_every_checker_of_these_chapters_is_tried():
    assert untried(ANSWERS) == set()


def test_the_loss_to_paste_is_the_librarys():
    draw = torch.Generator().manual_seed(3)
    pasted = names_of("04_separate_loss")["PastedLoss"](5, 8, alpha=0.7)
    ours = SeparateLoss(5, 8, alpha=0.7, init=pasted.centers)
    for _ in range(4):
        x = torch.randn(9, 8, generator=draw)
        y = torch.randint(0, 5, (9,), generator=draw)
        found = []
        for loss in (pasted, ours):
            moving = x.clone().requires_grad_(True)
            value = loss(moving, y)
            loss.update(moving.detach(), y)
            value.backward()
            found.append((value.item(), moving.grad))
        assert found[0][0] == pytest.approx(found[1][0], abs=1e-6)
        assert torch.allclose(found[0][1], found[1][1], atol=1e-6)
        assert torch.allclose(pasted.centers, ours.centers, atol=1e-5)
    assert list(pasted.parameters()) == []
