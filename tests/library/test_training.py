"""Algorithm 1 on small drawn images: learning, repeating, saving, refusing."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from fersep import equations, training
from fersep.data import Faces, card
from fersep.training import Run, Settings, batches
from fersep.training.arrays import reference_losses
from fersep.training.followers import CenterFollower


def squares(n=120, seed=0, side=32):
    """Images whose class is the corner that holds a bright square."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    images = torch.randint(0, 120, (n, 3, side, side), generator=g, dtype=torch.uint8)
    half = side // 2
    for i, y in enumerate(labels.tolist()):
        images[i, :, half * (y // 2) :, :][:, :half] += 100
        images[i, y] += 20
    return Faces(
        "squares", images, labels, ("NE", "HA", "SA"), [""] * n, card("folder")
    )


TINY = Settings(epochs=3, batch_size=20, lr=0.05, width=4, seed=3)


@pytest.fixture(scope="module")
def data():
    return squares(), squares(45, seed=1)


@pytest.fixture(scope="module")
def run(data):
    return training.fit(*data, TINY, device="cpu", progress=False)


def test_it_learns_and_one_seed_gives_one_result(data, run):
    assert run.history["validation_accuracy"][-1] > 60
    assert run.history["softmax_loss"][-1] < run.history["softmax_loss"][0]
    assert {len(v) for v in run.history.values()} == {3}
    assert run.centers.shape == (3, 32)
    assert not run.model.training
    torch.manual_seed(5)
    again = training.fit(*data, TINY, device="cpu", progress=False)
    drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(again.centers, run.centers)
    assert again.history == run.history
    state = run.model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in again.model.state_dict().items())
    other = training.fit(*data, replace(TINY, seed=4), progress=False)
    assert not torch.equal(other.centers, run.centers)


def test_lambda_zero_is_the_softmax_loss_with_centers_that_follow(data, run):
    softmax = training.fit(*data, replace(TINY, lam=0.0), progress=False)
    wild = replace(TINY, lam=0.0, alpha=9.0, rule="published")
    other = training.fit(*data, wild, progress=False)
    assert softmax.history["softmax_loss"] == other.history["softmax_loss"]
    assert softmax.history["softmax_loss"] != run.history["softmax_loss"]
    assert not torch.equal(softmax.centers, other.centers)


def test_lambda_pulls_features_to_their_centers(data):
    strong = replace(TINY, lam=5.0, epochs=4)
    weak = replace(strong, lam=0.0)
    pulled, free = (
        training.fit(*data, s, progress=False).history["intra_loss"][-1]
        for s in (strong, weak)
    )
    assert pulled < 0.8 * free


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        (Settings(), {0: 1e-2, 19: 1e-2, 20: 1e-3, 39: 1e-3, 40: 1e-4, 59: 1e-4}),
        (
            Settings(epochs=20, lr_periods=4),  # the paper's AffectNet
            {0: 1e-2, 4: 1e-2, 5: 1e-3, 10: 1e-4, 15: 1e-5, 19: 1e-5},
        ),
        (
            Settings(epochs=10, lr=0.1, schedule="linear"),
            {0: 0, 1: 0.05, 2: 0.1, 6: 0.05, 9.5: 0.00625},
        ),
    ],
    ids=["RAF-DB", "AffectNet", "linear"],
)
def test_schedule_is_the_papers(settings, rates):
    found = [training.learning_rate(settings, int(at), at % 1) for at in rates]
    assert found == pytest.approx(list(rates.values()))


@pytest.mark.parametrize("rule", ["exact", "published", "mean"])
def test_a_follower_moves_as_the_centers_of_a_training_and_changes_nothing(data, rule):
    settings = replace(TINY, lam=0.0, rule=rule)
    name = f"{rule},sphere,20"
    follower = CenterFollower(name, settings.alpha)
    run = training.fit(*data, settings, device="cpu", followers=[follower])
    plain = training.fit(*data, settings, device="cpu")
    assert run.history["softmax_loss"] == plain.history["softmax_loss"]
    assert run.history[f"agreement.{name}"] == [
        pytest.approx(row, abs=1e-6) for row in plain.history["agreement"]
    ]


def test_a_follower_waits_until_its_batch_is_full():
    follower = CenterFollower("exact,sphere,32")
    loss = follower.begin(3, 4, 0)
    first, x, y = loss.centers.clone(), torch.rand(80, 4), torch.arange(80) % 3
    follower.see(x[:30], y[:30])
    assert torch.equal(loss.centers, first)
    follower.see(x[30:70], y[30:70])
    twin = CenterFollower("exact,sphere,32").begin(3, 4, 0)
    twin.update(x[:32], y[:32])
    twin.update(x[32:64], y[32:64])
    assert torch.equal(loss.centers, twin.centers)
    with pytest.raises(ValueError, match="named like exact,sphere,100; got 'exact'"):
        CenterFollower("exact")


def test_changes_flip_half_of_the_images_and_shift_all():
    generator, side = torch.Generator().manual_seed(0), (24, 36)
    images = torch.randint(0, 256, (400, 3, *side), dtype=torch.uint8)
    draws = batches.draw_changes(400, side, generator)
    found = batches.apply_draws(images, draws)
    for image, (flip, down, right), one in zip(images, draws, found, strict=True):
        plain = image.flip(-1) if flip else image
        wide = F.pad(training.normalize(plain[None]), (3, 3, 3, 3), mode="replicate")
        wanted = wide[0, :, 3 + down : 27 + down, 3 + right : 39 + right]
        assert torch.equal(one, wanted)
    assert 150 < draws[:, 0].sum() < 250
    assert draws[:, 1:].unique().tolist() == list(range(-3, 4))


def test_images_that_find_no_room_on_the_device_train_alike(data):
    found = []
    for resident in (True, False):
        feed = batches.Feed(data[0].images, data[0].labels, torch.device("cpu"))
        feed.resident = resident
        drawn = feed.draw_epoch(50, torch.Generator().manual_seed(0))
        found.append([feed.make_batch(draws) for draws, *_ in drawn])
    for (x, y), (a, b) in zip(*found, strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


def test_a_run_comes_back_as_it_was(tmp_path, data, run):
    run.save(tmp_path / "kept")
    back = Run.load(tmp_path / "kept")
    assert back.settings == run.settings
    assert back.history == run.history
    assert torch.equal(back.centers, run.centers)
    # Nor does it matter in which batch an image stands.
    whole = training.evaluate(run.model, data[1].images)
    parts = training.evaluate(back.model, data[1].images, batch_size=7)
    for a, b in zip(whole, parts, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    with pytest.raises(FileExistsError, match="choose a new name"):
        run.save(tmp_path / "kept")
    with pytest.raises(ValueError, match="is no saved run"):
        Run.load(tmp_path)
    (tmp_path / "kept" / "tensors.pt").write_bytes(b"broken")
    with pytest.raises(ValueError, match="is no saved run"):
        Run.load(tmp_path / "kept")


def test_runs_are_keyed_by_what_computes_them(data):
    others = [(*data, replace(TINY, lam=0.5)), (*data, replace(TINY, seed=9))]
    others += [(squares(60), data[1], TINY), (data[0], squares(60), TINY)]
    assert len({training.run_key(*given) for given in [(*data, TINY), *others]}) == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lam": -1.0}, r"lam \(λ\)"),
        ({"lam": float("nan")}, r"lam \(λ\) .* got nan"),
        ({"alpha": -0.5}, r"alpha \(α\)"),
        ({"loss": "arc"}, "loss must be separate, intra, .*; got 'arc'"),
        ({"precision": "half"}, "precision must be auto, float32, bfloat16"),
        ({"rule": "both"}, "rule must be one of"),
        ({"schedule": "cosine"}, "schedule must be steps, linear; got 'cosine'"),
        ({"init": "zeros"}, "init must be sphere, normal, uniform"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"lr": 0.0}, "lr must be a number larger than 0"),
    ],
    ids=str,
)
def test_bad_settings_are_named(change, says):
    with pytest.raises(ValueError, match=says):
        Settings(**change)


def test_bad_data_and_devices_are_named(data, monkeypatch):
    train, validation = data
    keep = train.labels != 1
    without = replace(train, images=train.images[keep], labels=train.labels[keep])
    with pytest.raises(ValueError, match="squares has no training image of HA"):
        training.fit(without, validation, TINY, progress=False)
    wrong = replace(train, labels=train.labels + 1)
    with pytest.raises(ValueError, match="is 3, but 3 classes"):
        training.fit(wrong, validation, TINY, progress=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda was asked for but torch sees no"):
        training.pick_device("cuda")
    with pytest.raises(ValueError, match="device must be auto, cpu or cuda; got 'gpu'"):
        training.pick_device("gpu")
    assert training.pick_device("auto").type == "cpu"


@pytest.mark.gpu
def test_a_gpu_trains_the_same_way(data):
    run = training.fit(*data, TINY, device="cuda", progress=False)
    assert run.history["validation_accuracy"][-1] > 60
    assert run.centers.device.type == "cpu"


@pytest.mark.gpu
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"precision": "float32", "rule": "published", "init": "means"},
        {"loss": "locality", "lam": 0.003, "lr_periods": 2},
        {"lam": 0.0, "head": "arcface", "margin": 0.3, "schedule": "linear"},
    ],
    ids=str,
)
def test_a_recorded_step_trains_as_the_step_does(data, change, monkeypatch):
    settings = replace(TINY, epochs=3, batch_size=16, **change)
    recorded = training.fit(*data, settings, device="cuda", progress=False)
    # Without room for the images each step is taken as it is.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    whole = training.fit(*data, settings, device="cuda", progress=False)
    assert whole.provenance["images"] == "streamed"
    assert recorded.history == whole.history
    assert torch.equal(recorded.center_history, whole.center_history)


@pytest.mark.parametrize("rule", ["exact", "published", "mean"])
def test_reference_losses_move_with_behavior_and_not_with_names(rule, monkeypatch):
    settings = replace(TINY, rule=rule, batch_size=100, precision="bfloat16")
    kept = reference_losses(settings)
    assert reference_losses(settings) == kept
    push = equations.inter_weight
    monkeypatch.setattr(equations, "inter_weight", lambda *given: push(*given))
    assert reference_losses(settings) == kept
    monkeypatch.setattr(equations, "inter_weight", lambda *given: -push(*given))
    assert reference_losses(settings) != pytest.approx(kept, rel=1e-3)
