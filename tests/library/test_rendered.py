"""Rendered faces: the same each time, one action unit at a time, fair splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from sklearn.ensemble import ExtraTreesClassifier

from fersep import data, rendered
from fersep.data import DataError
from fersep.rendered import face

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


def test_each_part_of_a_view_changes_the_picture() -> None:
    person, units = plain_people(1), face.units_of({12: 0.7, 25: 0.7})
    plain = face.render(units, person, face.front_view(), 48).float()
    for name in face.VIEW:
        # These say where an occluder or shadow lies, and do nothing without one.
        helped = {"occluder_x": "occluder", "occluder_y": "occluder"}
        helped |= {"shadow_turn": "shadow", "shadow_at": "shadow"}
        view = face.front_view()
        before = plain
        if name in helped:
            view[:, face.VIEW.index(helped[name])] = 0.8
            before = face.render(units, person, view, 48).float()
        view[:, face.VIEW.index(name)] += 0.3
        after = face.render(units, person, view, 48).float()
        assert (after - before).abs().mean() > 0.15, name


def test_compression_loses_more_the_stronger_it_is() -> None:
    units, people = face.units_of({}).expand(3, -1, -1), plain_people(3)
    images = face.render(units, people, face.front_view(3), 50)
    loss = []
    for strength in (0.0, 0.3, 1.0):
        stored = face.compressed(images, torch.full((3,), strength))
        one = face.compressed(images[1:2], torch.tensor([strength]))
        assert torch.equal(stored[1:2], one)
        loss.append(float((stored.float() - images.float()).abs().mean()))
    assert 0 < loss[0] < 1 < loss[1] < loss[2] < 20
    even = torch.full((1, 3, 16, 16), 77, dtype=torch.uint8)
    assert torch.equal(face.compressed(even, torch.tensor([0.0])), even)


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


def doubt(trait: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the p-value of ten equal ranges of a trait against labels."""
    table = np.zeros((10, int(labels.max()) + 1))
    np.add.at(table, ((trait * 10).long().numpy(), labels.numpy()), 1)
    return float(chi2_contingency(table).pvalue)


@pytest.mark.parametrize("name", ["rendered_basic", "rendered_compound"])
def test_person_and_expression_are_independent(name: str) -> None:
    # One image of each person, since images of one person are not independent.
    persons = torch.arange(20_000)
    index = rendered.IMAGES_PER_PERSON * persons + persons % 6
    labels = rendered.labels_of(name, 120_000)[index]
    people = rendered.people(0, rendered.persons_of(index))
    for trait in face.PERSON:
        assert doubt(people[:, face.PERSON.index(trait)], labels) > 1e-4, trait
    # The same test finds a weak tie to one class.
    skin = people[:, face.PERSON.index("skin")].clone()
    skin[(labels == 0) & (persons % 3 == 0)] *= 0.5
    assert doubt(skin, labels) < 1e-4


@pytest.mark.parametrize("difficulty", ["easy", "default"])
@pytest.mark.parametrize("name", ["rendered_basic", "rendered_compound"])
def test_the_true_units_nearly_reach_the_bayes_limit(
    name: str, difficulty: str
) -> None:
    n = 12_000
    labels = rendered.labels_of(name, n)
    codes = [rendered.unit_name(name, int(label)) for label in labels]
    index = torch.arange(n)
    units = rendered.action_units(codes, 0, index, index // 6, difficulty).mean(1)
    half = n // 2
    # Trees, because a weak unit says as much as a strong one.
    model = ExtraTreesClassifier(200, min_samples_leaf=3, random_state=0)
    model.fit(units[:half].numpy(), labels[:half].numpy())
    got = model.score(units[half:].numpy(), labels[half:].numpy())
    limit = rendered.bayes_accuracy(name, difficulty=difficulty)
    assert limit - 0.03 < got < limit + 0.01


@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_the_bayes_limit_is_the_rate_of_the_best_guess(difficulty: str) -> None:
    name, n = "rendered_compound", 40_000
    counts = torch.tensor(rendered.class_counts(name), dtype=torch.float64)
    labels = rendered.labels_of(name, n)
    codes = [rendered.unit_name(name, label) for label in range(len(counts))]
    chance = rendered.expected_units(codes, difficulty).double()
    generator = torch.Generator().manual_seed(0)
    draw = torch.rand(n, len(face.UNITS), generator=generator, dtype=torch.float64)
    shown = (draw < chance[labels]).double()
    log = shown @ chance.log().clamp(min=-99).T
    log = log + (1 - shown) @ (1 - chance).log().clamp(min=-99).T
    right = ((log + counts.log()).argmax(1) == labels).double().mean()
    limit = rendered.bayes_accuracy(name, difficulty=difficulty)
    assert abs(float(right) - limit) < 0.005


def test_class_counts_can_be_swapped_and_balanced() -> None:
    happy, fear = 1, 4
    raf, swapped, balanced = (
        torch.bincount(
            data.load(
                "rendered_basic", None, size=2000, image_size=8, counts=counts
            ).labels
        ).float()
        for counts in ("raf", "swapped", "balanced")
    )
    others = [0, 2, 3, 5, 6]
    assert raf[happy] > 10 * raf[fear]
    assert swapped[fear] > 10 * swapped[happy]
    assert (swapped[others] / raf[others] - 1).abs().max() < 0.15
    assert balanced.max() < 1.1 * balanced.min()


def test_one_person_is_on_all_images_of_a_frozen_set() -> None:
    size = 300
    parts = data.load_splits("rendered_basic", size=size, identity="frozen")
    assert sum(map(len, parts)) == size
    assert len({group for part in parts for group in part.groups}) == size
    index = torch.arange(size)
    assert set(rendered.persons_of(index, "frozen").tolist()) == {0}
    # Person 0 is on the first six images of the usual set: the same pictures.
    labels = rendered.labels_of("rendered_basic", 12)
    first, second = (
        rendered.draw("rendered_basic", torch.arange(12), labels, identity=identity)[0]
        for identity in ("varied", "frozen")
    )
    assert torch.equal(first[:6], second[:6])
    assert not torch.equal(first[6:], second[6:])


def test_more_test_images_show_new_people_and_change_nothing_else() -> None:
    plain = data.load_splits("rendered_basic", size=200, image_size=8)
    large = data.load_splits("rendered_basic", size=200, image_size=8, test_size=500)
    assert [p.fingerprint for p in plain[:2]] == [p.fingerprint for p in large[:2]]
    test = large[2]
    assert len(test) == len(test.groups) == 500
    assert torch.equal(test.images[: len(plain[2])], plain[2].images)
    others = {group for part in plain for group in part.groups}
    assert others.isdisjoint(test.groups[len(plain[2]) :])
    # The images added to a larger set are the same ones.
    options = {"size": 400, "image_size": 8}
    own = len(data.load("rendered_basic", None, "test", **options))
    larger = data.load("rendered_basic", None, "test", **options, test_size=600)
    assert torch.equal(larger.images[own:][:300], test.images[len(plain[2]) :][:300])
    with pytest.raises(DataError, match="test_size must be at least"):
        data.load("rendered_basic", None, "test", size=200, image_size=8, test_size=3)


def test_a_sweep_moves_one_unit_of_the_same_persons() -> None:
    sweep = rendered.unit_sweep(12, [0, 0.5, 1], [4, 7], image_size=32)
    assert sweep.shape == (2, 3, 3, 32, 32)
    at_rest = rendered.unit_sweep(26, [0], [4, 7], image_size=32)
    assert torch.equal(sweep[:, :1], at_rest)
    moved = (sweep.float() - sweep[:, :1].float()).abs().mean((2, 3, 4))
    assert (moved[:, 2] > moved[:, 1]).all()
    assert (moved[:, 1] > 0).all()
    with pytest.raises(DataError, match="action unit 3 is not drawn"):
        rendered.unit_sweep(3, [1], [0])


def test_pixels_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    several = rendered.drawn("rendered_basic", 130, 32, 0, "hard")
    monkeypatch.setattr(rendered, "cores", lambda: 1)
    alone = np.empty_like(several)
    labels = rendered.labels_of("rendered_basic", 130)
    threads = torch.get_num_threads()
    rendered._draw_all(alone, "rendered_basic", labels, 0, "hard", "varied", 0, "cpu")
    assert np.array_equal(alone, several)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("difficulty", ["easy", "default", "hard"])
def test_units_follow_the_table(difficulty: str) -> None:
    index = torch.arange(20_000)
    units = rendered.action_units(["HA"] * len(index), 0, index, index // 6, difficulty)
    shown = (units.mean(1) > 0).float().mean(0)
    want = rendered.expected_units(["HA"], difficulty)[0]
    assert (shown - want).abs().max() < 0.02
    listed = want > 0.2
    assert listed.sum() == 3
    assert len(set(want[~listed].tolist())) == 1
    strength = units.mean(1)[:, face.UNITS.index(12)]
    weakest = rendered.DIFFICULTIES[difficulty]["weakest"]
    assert (
        0.8 * weakest < float(strength[strength > 0].min()) < float(strength.max()) <= 1
    )


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
