"""Rendered faces: the same each time, one action unit at a time, fair splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fersep import data
from fersep.data import face, rendered
from fersep.data.faces import DataError

#: Where each unit must be seen: rows and columns of the picture, from 0 to 1.
BROWS, EYES, NOSE = (0.0, 0.42), (0.33, 0.62), (0.3, 0.72)
MOUTH, BELOW = (0.6, 0.98), (0.68, 1.0)
REGIONS = {
    1: BROWS, 2: BROWS, 4: BROWS, 5: EYES, 6: EYES, 7: EYES, 9: NOSE, 10: MOUTH,
    11: (0.55, 0.85), 12: MOUTH, 15: MOUTH, 17: BELOW, 20: MOUTH, 23: MOUTH,
    24: MOUTH, 25: MOUTH, 26: BELOW,
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path))


def some(index: list[int], seed: int = 0, difficulty: str = "hard") -> torch.Tensor:
    labels = rendered.labels_of("rendered_basic", 1 + max(index))[index]
    images, _ = rendered.draw(
        "rendered_basic",
        torch.tensor(index),
        labels,
        image_size=32,
        seed=seed,
        difficulty=difficulty,
    )
    return images


def plain_people(n: int) -> torch.Tensor:
    """Persons without beard and glasses, which would hide what a unit does."""
    people = rendered.people(0, torch.arange(n))
    people[:, face.PERSON.index("beard")] = 0
    people[:, face.PERSON.index("glasses")] = 0
    return people


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12, unique=True))
def test_an_image_is_the_same_alone_and_among_others(index: list[int]) -> None:
    together = some(index)
    for i, image in zip(index, together, strict=True):
        assert torch.equal(some([i])[0], image)


def test_another_seed_draws_other_faces() -> None:
    first, second = some([0, 1, 2]), some([0, 1, 2], seed=1)
    difference = (first.float() - second.float()).abs().mean((1, 2, 3))
    assert (difference > 5).all()


def test_a_smaller_set_holds_the_same_first_images() -> None:
    small = rendered.drawn("rendered_basic", 21, 24, 0, "default")
    large = rendered.drawn("rendered_basic", 42, 24, 0, "default")
    assert np.array_equal(small, large[:21])


@pytest.mark.parametrize("unit", face.UNITS)
def test_each_unit_changes_its_own_region(unit: int) -> None:
    people = plain_people(8)
    view = face.front_view(8)
    neutral = face.units_of({}).expand(8, -1, -1)
    moved = face.units_of({unit: 1.0}).expand(8, -1, -1)
    before = face.render(neutral, people, view, 48).float()
    after = face.render(moved, people, view, 48).float()
    change = (after - before).abs().mean(1)
    top, bottom = (round(48 * edge) for edge in REGIONS[unit])
    inside = change[:, top:bottom].sum((1, 2))
    assert (inside > 0.7 * change.sum((1, 2))).all()
    # Dark skin reflects less light, so a change counts against the brightness.
    clear = (change / before.mean(1).clamp(min=40) > 0.15).sum((1, 2))
    assert (clear >= 12).all(), clear.tolist()


def test_each_side_of_the_face_moves_alone() -> None:
    units = face.units_of({})
    units[:, 0, face.UNITS.index(12)] = 1
    view, people = face.front_view(), plain_people(1)
    plain = face.render(face.units_of({}), people, view).float()
    change = (face.render(units, people, view).float() - plain).abs().mean((0, 1))
    assert change[28:, :24].sum() > 3 * change[28:, 24:].sum() > 0


@pytest.mark.parametrize("name", ["rendered_basic", "rendered_compound"])
def test_splits_share_no_person_and_miss_no_class(name: str) -> None:
    size = 600
    parts = [
        data.load(name, None, split, size=size, image_size=8, difficulty="easy")
        for split in data.SPLITS
    ]
    assert sum(len(part) for part in parts) == size
    people = [set(part.groups) for part in parts]
    assert len(set.union(*people)) == sum(map(len, people))
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert set(part.labels.tolist()) == set(range(len(part.classes)))
        assert abs(len(part) / size - share) < 0.06
        assert part.images.shape == (len(part), 3, 8, 8)
        assert part.card.redistributable


def test_classes_come_in_the_proportions_of_raf_db() -> None:
    for name, counts in rendered.COUNTS.items():
        labels = rendered.labels_of(name, 5000)
        got = torch.bincount(labels, minlength=len(counts)) / 5000
        want = torch.tensor(counts) / sum(counts)
        assert (got - want).abs().max() < 0.002


def test_the_smallest_size_serves_every_class_and_less_is_refused() -> None:
    least = 3 * 6 * 7
    for split in data.SPLITS:
        part = data.load("rendered_basic", None, split, size=least, image_size=8)
        assert set(part.labels.tolist()) == set(range(7))
    with pytest.raises(DataError, match="at least 126"):
        data.load("rendered_basic", None, size=least - 1)


def test_person_and_expression_are_independent() -> None:
    n = 30_000
    labels = rendered.labels_of("rendered_basic", n)
    people = rendered.people(0, torch.arange(n) // rendered.IMAGES_PER_PERSON)
    for trait in ("skin", "age", "beard", "glasses"):
        ranks = people[:, face.PERSON.index(trait)].argsort().argsort().float()
        for label in range(7):
            pair = torch.stack([ranks, (labels == label).float()])
            assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.025


def test_units_follow_the_table() -> None:
    index = torch.arange(20_000)
    units = rendered.action_units(
        ["HA"] * len(index), 0, index, index // 6, difficulty="easy"
    )
    shown = (units.mean(1) > 0).float().mean(0)
    want = rendered.expected_units(["HA"])[0]
    assert (shown - want).abs().max() < 0.02
    strength = units.mean(1)[:, face.UNITS.index(12)]
    assert 0.3 < float(strength[strength > 0].min()) < float(strength.max()) <= 1


def test_hashed_numbers_are_uniform_and_unrelated() -> None:
    numbers = rendered.hashed(3, 1, torch.arange(20_000), 4)
    assert torch.equal(numbers[:, :2], rendered.hashed(3, 1, torch.arange(20_000), 2))
    assert abs(float(numbers.mean()) - 0.5) < 0.005
    assert torch.corrcoef(numbers.T).fill_diagonal_(0).abs().max() < 0.03
    assert float(numbers.min()) >= 0
    assert float(numbers.max()) < 1


def test_wrong_options_are_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match="easy, default, hard; got 'brutal'"):
        data.load("rendered_basic", None, difficulty="brutal")
    with pytest.raises(DataError, match="leave root out"):
        data.load("rendered_basic", "faces")
    with pytest.raises(DataError, match="action unit 3 is not drawn"):
        face.units_of({3: 1.0})


def test_a_killed_drawing_leaves_nothing_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = rendered.draw

    def killed(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rendered, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        rendered.drawn("rendered_basic", 21, 16, 0, "easy")
    assert list((tmp_path / "data").iterdir()) == []
    monkeypatch.setattr(rendered, "draw", right)
    images = rendered.drawn("rendered_basic", 21, 16, 0, "easy")
    assert images.shape == (21, 3, 16, 16)
    monkeypatch.setattr(rendered, "draw", killed)
    again = rendered.drawn("rendered_basic", 21, 16, 0, "easy")
    assert np.array_equal(again, images)
