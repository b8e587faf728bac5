"""Rendered faces: the same each time, one action unit at a time, fair splits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from fersep import data, gates, rendered
from fersep.rendered.canvas import Canvas
from fersep.rendered.photograph import compress
from fersep.rendered.sampling import (
    EXPRESSIONS_OF,
    PERSON,
    class_counts,
    persons_of,
    uniform,
)

SETS = ("rendered_basic", "rendered_compound")

#: Where each unit must be seen: rows of the picture, from 0 to 1.
BROWS, EYES, NOSE = (0.0, 0.42), (0.33, 0.62), (0.3, 0.72)
MOUTH, BELOW = (0.6, 0.98), (0.68, 1.0)
REGIONS = {
    1: BROWS, 2: BROWS, 4: BROWS, 5: EYES, 6: EYES, 7: EYES, 9: NOSE, 10: MOUTH,
    11: (0.55, 0.85), 12: MOUTH, 15: MOUTH, 17: BELOW, 20: MOUTH, 23: MOUTH,
    24: MOUTH, 25: MOUTH, 26: BELOW,
}  # fmt: skip


def some(index, seed=0):
    labels = rendered.labels_of("rendered_basic", 1 + max(index))[index]
    look = {"image_size": 32, "seed": seed, "difficulty": "hard"}
    return rendered.draw("rendered_basic", torch.tensor(index), labels, **look)


def units_of(active):
    """One face's units (1, 2, 17)."""
    row = torch.tensor([active.get(u, 0.0) for u in rendered.UNITS])
    return row.expand(1, 2, -1).clone()


def plain_people(n):
    """Persons without beard and glasses, which would hide what a unit does."""
    people = rendered.people(0, torch.arange(n))
    for hiding in ("beard", "glasses"):
        people[:, PERSON.index(hiding)] = 0
    return people


def shoot(units, view=None):
    """Draw units (n, 2, 17) on plain people, from the front, as float."""
    n = len(units)
    view = rendered.front_view(n) if view is None else view
    return rendered.render(units, plain_people(n), view).float()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12, unique=True))
def test_an_image_is_the_same_alone_and_among_others(index):
    together = some(index)
    for i, image in zip(index, together, strict=True):
        assert torch.equal(some([i])[0], image)


def test_another_seed_draws_other_faces():
    first, second = some([0, 1, 2]), some([0, 1, 2], seed=1)
    difference = (first.float() - second.float()).abs().mean((1, 2, 3))
    assert (difference > 5).all()


def test_pixels_depend_neither_on_threads_nor_on_the_number_of_images(
    tmp_path, monkeypatch
):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        large = rendered.draw_all("rendered_basic", 130, image_size=32)
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "other"))
        small = rendered.draw_all("rendered_basic", 71, image_size=32)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(small, large[:71])


@pytest.mark.parametrize("unit", rendered.UNITS)
def test_each_unit_changes_its_own_region(unit):
    before = shoot(units_of({}).expand(8, -1, -1))
    after = shoot(units_of({unit: 1.0}).expand(8, -1, -1))
    change = (after - before).abs().mean(1)
    top, bottom = (round(48 * edge) for edge in REGIONS[unit])
    inside = change[:, top:bottom].sum((1, 2))
    assert (inside > 0.7 * change.sum((1, 2))).all()
    # Dark skin reflects less light, so a change counts against the brightness.
    clear = (change / before.mean(1).clamp(min=40) > 0.15).sum((1, 2))
    assert (clear >= 12).all(), clear.tolist()


@pytest.mark.parametrize("name", rendered.VIEW)
def test_each_part_of_a_view_changes_the_picture(name):
    # These say where an occluder or shadow lies, and do nothing without one.
    helped = {"occluder_x": "occluder", "occluder_y": "occluder"}
    helped |= {"shadow_turn": "shadow", "shadow_at": "shadow"}
    units, view = units_of({12: 0.7, 25: 0.7}), rendered.front_view()
    if name in helped:
        view[:, rendered.VIEW.index(helped[name])] = 0.8
    before = shoot(units, view)
    view[:, rendered.VIEW.index(name)] += 0.3
    assert (shoot(units, view) - before).abs().mean() > 0.15


def test_compression_loses_more_the_stronger_it_is():
    units, people = units_of({}).expand(3, -1, -1), plain_people(3)
    images = rendered.render(units, people, rendered.front_view(3), 50)
    weak, middle, strong = (
        (compress(images, torch.full((3,), strength)).float() - images).abs().mean()
        for strength in (0.0, 0.3, 1.0)
    )
    assert 0 < weak < 1 < middle < strong < 20
    even = torch.full((1, 3, 16, 16), 77, dtype=torch.uint8)
    assert torch.equal(compress(even, torch.tensor([0.0])), even)


def test_each_side_of_the_face_moves_alone():
    units = units_of({})
    plain = shoot(units)
    units[:, 0, rendered.UNITS.index(12)] = 1
    change = (shoot(units) - plain).abs().mean((0, 1))
    assert change[28:, :24].sum() > 3 * change[28:, 24:].sum() > 0


@pytest.mark.parametrize("name", SETS)
def test_splits_share_no_person_and_miss_no_class(name):
    size = 600
    parts = data.load_splits(name, size=size, image_size=8)
    assert sum(map(len, parts)) == size
    people = [set(part.groups) for part in parts]
    assert len(set.union(*people)) == sum(map(len, people))
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert set(part.labels.tolist()) == set(range(len(part.classes)))
        assert abs(len(part) / size - share) < 0.06
        assert part.images.shape == (len(part), 3, 8, 8)


def test_the_smallest_size_serves_every_class_and_less_is_refused():
    least = 3 * 6 * 7
    for part in data.load_splits("rendered_basic", size=least, image_size=8):
        assert set(part.labels.tolist()) == set(range(7))
    with pytest.raises(data.DataError, match="at least 126"):
        data.load("rendered_basic", None, size=least - 1)


@pytest.mark.parametrize("counts", ["raf", "balanced", "swapped"])
@pytest.mark.parametrize("name", SETS)
def test_classes_come_in_their_proportions(name, counts):
    want = torch.tensor(class_counts(name, counts)).float()
    labels = rendered.labels_of(name, 5000, counts)
    got = torch.bincount(labels, minlength=len(want)) / 5000
    assert (got - want / want.sum()).abs().max() < 0.002
    if (name, counts) == ("rendered_basic", "swapped"):  # happy and fear alone
        assert want.tolist() == [2524, 281, 1982, 1290, 4772, 705, 717]


@pytest.mark.parametrize("name", SETS)
def test_person_and_expression_are_independent(name):
    # One image of each person, since images of one person are not independent.
    persons = torch.arange(20_000)
    index = 6 * persons + persons % 6
    labels = rendered.labels_of(name, 120_000)[index]
    people = rendered.people(0, persons_of(index))
    for trait, values in zip(PERSON, people.T, strict=True):
        table = np.zeros((10, int(labels.max()) + 1))
        np.add.at(table, ((values * 10).long().numpy(), labels.numpy()), 1)
        assert chi2_contingency(table).pvalue > 1e-4, trait


@pytest.mark.parametrize("difficulty", ["easy", "hard"])
@pytest.mark.parametrize("name", SETS)
def test_the_best_guess_from_drawn_units_is_right_as_often_as_the_limit_says(
    name, difficulty
):
    n = 20_000
    counts = torch.tensor(class_counts(name), dtype=torch.float64)
    labels, index = rendered.labels_of(name, n), torch.arange(n)
    codes = EXPRESSIONS_OF[name]
    drawn = [codes[label] for label in labels.tolist()]
    units = rendered.action_units(drawn, 0, index, index // 6, difficulty)
    shown = (units.mean(1) > 0).double()
    chance = rendered.expected_units([*codes], difficulty).double()
    log = shown @ chance.log().clamp(min=-99).T
    log = log + (1 - shown) @ (1 - chance).log().clamp(min=-99).T
    right = ((log + counts.log()).argmax(1) == labels).double().mean()
    limit = rendered.bayes_accuracy(name, difficulty=difficulty)
    assert float(right) == pytest.approx(limit, abs=0.008)


@pytest.mark.parametrize("difficulty", ["easy", "default", "hard"])
def test_units_follow_the_table(difficulty):
    index = torch.arange(20_000)
    units = rendered.action_units(["HA"] * len(index), 0, index, index // 6, difficulty)
    strength = units.mean(1)
    want = rendered.expected_units(["HA"], difficulty)[0]
    assert ((strength > 0).float().mean(0) - want).abs().max() < 0.02
    # Happy faces show 12 and 25, half of them 6; others are stray.
    table = {12: 0.9, 25: 0.9, 6: 0.51}
    stray = rendered.DIFFICULTIES[difficulty]["stray"]
    assert want.tolist() == pytest.approx(
        [table.get(unit, stray) for unit in rendered.UNITS]
    )
    smile = strength[:, rendered.UNITS.index(12)]
    weakest = rendered.DIFFICULTIES[difficulty]["weakest"]
    assert 0.8 * weakest < float(smile[smile > 0].min()) < float(smile.max()) <= 1


def test_one_person_is_on_all_images_of_a_frozen_set():
    parts = data.load_splits("rendered_basic", size=300, identity="frozen")
    assert sum(map(len, parts)) == 300
    assert len({group for part in parts for group in part.groups}) == 300
    # Person 0 is on the first six images of the usual set: the same pictures.
    labels = rendered.labels_of("rendered_basic", 12)
    first, second = (
        rendered.draw("rendered_basic", torch.arange(12), labels, identity=identity)
        for identity in ("varied", "frozen")
    )
    assert torch.equal(first[:6], second[:6])
    assert not torch.equal(first[6:], second[6:])


def test_more_test_images_show_new_people_and_change_nothing_else():
    plain = data.load_splits("rendered_basic", size=200, image_size=8)
    large = data.load_splits("rendered_basic", size=200, image_size=8, test_size=500)
    assert [p.fingerprint for p in plain[:2]] == [p.fingerprint for p in large[:2]]
    test, own = large[2], len(plain[2])
    assert len(test) == len(test.groups) == 500
    assert torch.equal(test.images[:own], plain[2].images)
    others = {group for part in plain for group in part.groups}
    assert others.isdisjoint(test.groups[own:])
    with pytest.raises(data.DataError, match="test_size must be at least"):
        data.load("rendered_basic", None, "test", size=200, image_size=8, test_size=3)


def test_hashed_numbers_are_uniform_and_unrelated():
    numbers = uniform(3, 1, torch.arange(20_000), 4)
    assert torch.equal(numbers[:, :2], uniform(3, 1, torch.arange(20_000), 2))
    assert float(numbers.mean()) == pytest.approx(0.5, abs=0.005)
    assert torch.corrcoef(numbers.T).fill_diagonal_(0).abs().max() < 0.03
    assert 0 <= float(numbers.min()) < float(numbers.max()) < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"difficulty": "brutal"}, "difficulty must be one of easy, default, hard;"),
        ({"counts": "all"}, "counts must be one of raf, balanced, swapped; got 'all'"),
        ({"identity": "me"}, "identity must be one of varied, frozen; got 'me'"),
        ({"root": "faces"}, "leave root out"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(data.DataError, match=message):
        data.load("rendered_basic", size=200, **options)


def test_a_cover_takes_the_place_of_what_chance_lays_over_a_face():
    index, labels = torch.arange(12), rendered.labels_of("rendered_basic", 12)

    def draw(**cover):
        return rendered.draw(
            "rendered_basic", index, labels, difficulty="easy", **cover
        )

    bare = draw(cover=0)
    assert torch.equal(bare, draw())  # easy faces have none
    for cover, rows in ((1.5, slice(0, 20)), (-1.5, slice(28, 48))):
        changed = (draw(cover=cover) != bare).any(1)
        assert changed.any(2).any(1).all()
        assert not changed[:, rows].any()


def test_landmarks_of_an_average_face_are_the_fixed_points():
    average = torch.full((1, len(PERSON)), 0.5)
    found = rendered.landmarks(units_of({}), average, rendered.front_view())
    assert torch.allclose(found[0], torch.tensor(gates.POINTS), atol=1e-6)


def test_every_place_of_a_turned_face_is_found_in_its_picture():
    n, size = 20, 40
    view = rendered.views(0, torch.arange(n), "default")
    units = units_of({}).expand(n, -1, -1)
    canvas = Canvas(units, rendered.people(0, torch.arange(n)), view, size)
    face = canvas.turn()
    found = canvas.find(face.x, face.y)
    axis = (torch.arange(size) + 0.5) / size
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    apart = (found - torch.stack([columns, rows], -1)).abs().amax(-1)
    # Near its edge a turned head hides some places, and others lie where they lay.
    x, y, depth = canvas.x, canvas.y, canvas.depth.clamp(min=1e-3)
    turn = 0.8 * canvas.view["yaw"].abs() * x.abs() / (0.85**2 * depth)
    turn = turn + 0.9 * canvas.view["pitch"].abs() * y.abs() / (1.1**2 * depth)
    shown = (canvas.depth > 0) & (turn < 0.7)
    assert shown.float().mean() > 0.4
    assert apart[shown].max() < 1e-3


@pytest.mark.parametrize("unit", [0, 12, 15, 17, 20, 26])
def test_landmarks_lie_on_the_corners_and_lips_of_the_mouth(unit):
    n, size = 8, 160
    units, person = units_of({unit: 1.0}).expand(n, -1, -1), plain_people(n)
    view = rendered.front_view(n)
    view[:, rendered.VIEW.index("yaw")] = torch.linspace(-0.3, 0.3, n)
    view[:, rendered.VIEW.index("shift_y")] = torch.linspace(-0.1, 0.1, n)
    points = rendered.landmarks(units, person, view) * size
    pale, red = person.clone(), person.clone()
    pale[:, PERSON.index("lip_color")], red[:, PERSON.index("lip_color")] = 0, 1
    shots = [rendered.render(units, each, view, size).float() for each in (pale, red)]
    lips = (shots[1] - shots[0]).abs().sum(1) > 3
    for mask, its in zip(lips, points, strict=True):
        rows, columns = mask.nonzero().T
        ends = torch.stack([columns.max() + 1, columns.min()])
        assert (its[[4, 15], 0] - ends).abs().max() < 0.02 * size
        upper, lower = its[[5, 16], 1].mean(), its[[6, 17], 1].mean()
        assert rows.min() - 0.02 * size < upper < lower < rows.max() + 0.04 * size


@pytest.mark.parametrize("unit", [1, 2, 4])
def test_landmarks_follow_the_brows(unit):
    n, size = 6, 160
    person, view = plain_people(n), rendered.front_view(n)
    thin, thick = person.clone(), person.clone()
    thin[:, PERSON.index("brow_thickness")] = 0
    thick[:, PERSON.index("brow_thickness")] = 1

    def look(units):
        shots = [rendered.render(units, p, view, size).float() for p in (thin, thick)]
        changed = (shots[1] - shots[0]).abs().sum(1)
        points = rendered.landmarks(units, person, view)[:, :2] * size
        heights = []
        for k in (0, 1):
            columns = [slice(int(x) - 2, int(x) + 3) for x in points[:, k, 0]]
            weight = torch.stack(
                [c[:, i].sum(1) for c, i in zip(changed, columns, strict=True)]
            )
            heights.append((weight * torch.arange(size)).sum(1) / weight.sum(1))
        return torch.stack(heights, 1), points[:, :, 1]

    seen, told = (
        b - a
        for a, b in zip(
            look(units_of({}).expand(n, -1, -1)),
            look(units_of({unit: 1.0}).expand(n, -1, -1)),
            strict=True,
        )
    )
    assert told.abs().max() > 3
    assert (seen - told).abs().max() < 0.015 * size
