"""The GPU's path: images on the device or streamed, the step as a graph, bfloat16."""

from dataclasses import replace

import pytest
import torch
from test_training import TINY, squares

from fersep import capture, feeding, training
from fersep.feeding import Feed

#: 120 images: seven batches of 16 and one of 8, two lengths as in most real epochs.
SETTINGS = replace(TINY, batch_size=16, epochs=2)


@pytest.fixture(scope="module")
def data():
    return squares(), squares(45, seed=1)


def same(a, b):
    state = b.model.state_dict()
    return (
        a.history == b.history
        and torch.equal(a.center_history, b.center_history)
        and all(torch.equal(v, state[k]) for k, v in a.model.state_dict().items())
    )


@pytest.mark.parametrize("change", [{}, {"init": "means", "rule": "published"}])
def test_replayed_steps_leave_no_trace_of_their_warm_up(data, monkeypatch, change):
    settings = replace(SETTINGS, **change)
    plain = training.fit(*data, settings, device="cpu")
    made = []

    def replayed(step, state):
        made.append(capture.Replayed(step, state))
        return made[0]

    monkeypatch.setattr(training, "Captured", replayed)
    monkeypatch.setattr(training, "_check_extras", lambda *a: None)
    again = training.fit(*data, settings, device="cpu", capture=True)
    assert same(again, plain)
    assert sorted(made[0].recorded) == [8, 16]


def test_the_optimizer_of_a_gpu_replays_and_resumes(data, monkeypatch, tmp_path):
    """On a GPU η is a tensor and the step of SGD is fused; a CPU can do both."""

    def fused(model, settings):
        return torch.optim.SGD(
            model.parameters(),
            lr=torch.tensor(settings.lr),
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    monkeypatch.setattr(training, "_optimizer", fused)
    monkeypatch.setattr(training, "Captured", capture.Replayed)
    monkeypatch.setattr(training, "_check_extras", lambda *a: None)
    plain = training.fit(*data, SETTINGS, device="cpu", checkpoint_folder=tmp_path)
    graph = training.fit(*data, SETTINGS, device="cpu", capture=True)
    assert same(graph, plain)
    (tmp_path / "epoch-00002.pt").unlink()
    again = {"checkpoint_folder": tmp_path, "resume": True, "capture": True}
    assert same(training.fit(*data, SETTINGS, device="cpu", **again), plain)


def test_a_forgotten_tensor_would_show(data, monkeypatch):
    plain = training.fit(*data, SETTINGS, device="cpu")
    monkeypatch.setattr(training, "Captured", capture.Replayed)
    monkeypatch.setattr(training, "_check_extras", lambda *a: None)
    whole = training.Step.state

    def without_centers(step):
        return {k: v for k, v in whole(step).items() if k != "relative.centers"}

    monkeypatch.setattr(training.Step, "state", without_centers)
    again = training.fit(*data, SETTINGS, device="cpu", capture=True)
    assert not torch.equal(again.centers, plain.centers)


def test_streamed_images_train_the_same(data, monkeypatch):
    plain = training.fit(*data, SETTINGS, device="cpu")
    assert plain.provenance["images"] == "on the device"
    monkeypatch.setattr(feeding, "fits", lambda images, device: False)
    monkeypatch.setattr(feeding, "CHUNK", 40)
    streamed = training.fit(*data, SETTINGS, device="cpu")
    assert streamed.provenance["images"] == "streamed"
    assert same(streamed, plain)


def test_images_live_on_the_device_below_half_of_its_free_memory(data, monkeypatch):
    images = data[0].images
    gpu = torch.device("cuda")
    for free, answer in [(2 * images.nbytes, False), (2 * images.nbytes + 2, True)]:
        monkeypatch.setattr(feeding, "free_memory", lambda device, free=free: free)
        assert feeding.fits(images, gpu) is answer
    assert feeding.fits(images, torch.device("cpu"))


def test_a_batch_of_every_chunk_is_the_one_drawn():
    images = torch.arange(50, dtype=torch.uint8)[:, None, None, None]
    images = images.expand(-1, 3, 24, 24).contiguous()
    draws = feeding.draw_epoch(50, 7, (24, 24), torch.Generator().manual_seed(0))
    seen = []
    for pictures, labels, rows in Feed(
        images, torch.arange(50), torch.device("cpu"), resident=False
    ).batches(draws):
        assert torch.equal(pictures[rows[:, 0], 0, 0, 0].long(), labels[rows[:, 0]])
        seen.append(labels[rows[:, 0]])
    assert [len(s) for s in seen] == [7] * 7  # the last image alone is left out
    assert all(torch.equal(s, d[:, 0]) for s, d in zip(seen, draws, strict=True))


def test_bfloat16_learns_and_keeps_loss_and_centers_in_float32(data):
    run = training.fit(*data, replace(TINY, precision="bfloat16"), device="cpu")
    assert run.provenance["precision"] == "bfloat16"
    assert run.history["validation_accuracy"][-1] > 60
    assert run.centers.dtype == torch.float32
    assert {v.dtype for v in run.model.parameters()} == {torch.float32}
    exact = training.fit(*data, TINY, device="cpu")
    assert exact.provenance["precision"] == "float32"
    assert exact.history != run.history


def test_what_needs_a_gpu_says_so(data):
    for option, says in [
        ({"capture": True}, "capture needs a GPU; leave it out"),
        ({"sync_batch_norm": True}, "sync_batch_norm needs GPUs; leave it out"),
    ]:
        with pytest.raises(ValueError, match=says):
            training.fit(*data, TINY, device="cpu", **option)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_captured_step_is_the_eager_step(data, precision):
    settings = replace(SETTINGS, precision=precision)
    eager = training.fit(*data, settings, device="cuda")
    graph = training.fit(*data, settings, device="cuda", capture=True)
    assert graph.provenance["captured"]
    for key in ("softmax_loss", "intra_loss", "inter_loss"):
        assert graph.history[key] == pytest.approx(eager.history[key], rel=1e-4)
    assert torch.allclose(graph.centers, eager.centers, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("captured", [False, True])
def test_one_seed_gives_one_result_twice_on_a_gpu(data, captured):
    first, second = (
        training.fit(*data, SETTINGS, device="cuda", capture=captured) for _ in range(2)
    )
    assert same(first, second)


@pytest.mark.gpu
@pytest.mark.parametrize("resident", [True, False])
def test_nothing_is_read_back_inside_an_epoch(data, resident):
    where = torch.device("cuda")
    state = training.State(*data, SETTINGS, where)
    state.seen = Feed(data[0].images, data[0].labels, where, resident)
    step = training.Step(
        state.model, state.relative, state.optimizer, 0.9, torch.bfloat16
    )
    training.train_epoch(state, step, step)

    def watched(*batch):
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(*batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    training.train_epoch(state, step, watched)


@pytest.mark.gpu
def test_streamed_images_train_the_same_on_a_gpu(data, monkeypatch):
    plain = training.fit(*data, SETTINGS, device="cuda")
    monkeypatch.setattr(feeding, "fits", lambda images, device: False)
    monkeypatch.setattr(feeding, "CHUNK", 40)
    assert same(training.fit(*data, SETTINGS, device="cuda"), plain)
