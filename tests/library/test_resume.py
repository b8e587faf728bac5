"""Trainings that are interrupted: nothing is lost, and every stop says why."""

import multiprocessing
import os
import re
import resource
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_training import TINY, squares

from fersep import training
from fersep.training import algorithm, checkpoints

FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def data():
    return squares(), squares(45, seed=1)


def same(a, b):
    """Whether two runs agree to the last bit."""
    state = b.model.state_dict()
    return (
        a.history == b.history
        and torch.equal(a.centers, b.centers)
        and torch.equal(a.center_history, b.center_history)
        and all(torch.equal(v, state[k]) for k, v in a.model.state_dict().items())
    )


def error_of_another_process(*args, **options):
    """Train in a forked process and return what it raised, as text."""

    def answer(pipe):
        try:
            training.fit(*args, device="cpu", **options)
        except BaseException as error:
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
            pipe.send(f"{type(error).__name__}: {error}")
        os._exit(0)

    here, there = FORK.Pipe()
    process = FORK.Process(target=answer, args=(there,))
    process.start()
    text = here.recv() if here.poll(60) else "no answer"
    process.join()
    return text


def from_epoch_two(monkeypatch, change):
    """Have something happen after the first epoch, when its checkpoint is written."""
    real = algorithm.train_epoch

    def train_epoch(step, batches, epoch):
        settings = step.settings
        rate = settings.lr if epoch == 0 else change(settings, epoch)
        step.settings = replace(settings, lr=rate)
        means = real(step, batches, epoch)
        step.settings = settings
        return means

    monkeypatch.setattr(algorithm, "train_epoch", train_epoch)


@pytest.mark.parametrize(
    "settings",
    [
        replace(TINY, epochs=5),
        replace(TINY, epochs=5, loss="center", init="means", feature_dim=10, lam=0.01),
        replace(TINY, epochs=5, lam=0.0, head="arcface", margin=0.3),
    ],
    ids=["separate", "center", "arcface"],
)
def test_a_killed_training_ends_as_if_nothing_had_happened(tmp_path, data, settings):
    whole = training.fit(*data, settings, device="cpu")
    folder = tmp_path / "kept"
    process = FORK.Process(
        target=training.fit,
        args=(*data, settings),
        kwargs={"device": "cpu", "checkpoint_folder": folder},
    )
    process.start()
    while not (folder / "epoch-00002.pt").exists():
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    done = torch.load(checkpoints.files(folder)[0])["history"]["softmax_loss"]
    assert 2 <= len(done) < 5
    rest = training.fit(
        *data, settings, device="cpu", checkpoint_folder=folder, resume=True
    )
    assert same(rest, whole)
    names = [file.name for file in checkpoints.files(folder)]
    assert names == ["epoch-00005.pt", "epoch-00004.pt"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    for epoch in (1, 2):
        checkpoints.save(tmp_path, epoch, {"epoch": epoch})
    (tmp_path / "epoch-00002.pt").write_bytes(b"broken")
    assert checkpoints.load(tmp_path) == {"epoch": 1}
    (tmp_path / "epoch-00001.pt").write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint in .* can be read; delete"):
        checkpoints.load(tmp_path)


def no_room(settings, epoch):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    return settings.lr


def no_memory(settings, epoch):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used, resource.RLIM_INFINITY))
    return settings.lr


NO_ROOM = (
    "OSError: the checkpoint of epoch 2 could not be written into {folder} "
    "(File too large); make room there, or choose another place"
)
NO_MEMORY = (
    "MemoryError: the cpu has too little memory for batch_size 120 and width 16; "
    "lower one of them, or image_size"
)


@pytest.mark.parametrize(
    ("change", "says"), [(no_room, NO_ROOM), (no_memory, NO_MEMORY)]
)
def test_what_runs_out_is_said_and_the_last_checkpoint_kept(
    tmp_path, data, monkeypatch, change, says
):
    from_epoch_two(monkeypatch, change)
    folder = tmp_path / "kept"
    wide = replace(TINY, batch_size=120, width=16)
    images = squares(side=128 if change is no_memory else 32), data[1]
    said = error_of_another_process(*images, wide, checkpoint_folder=folder)
    # How long freed memory lasts is the allocator's choice: epoch 1, seldom 2.
    last = len(checkpoints.load(folder)["history"]["softmax_loss"])
    assert last == 1 or change is no_memory
    kept = f"; the checkpoint of epoch {last} is kept in {folder}"
    assert said == says.format(folder=folder) + kept
    assert all(re.fullmatch(r"epoch-\d+\.pt", f.name) for f in folder.iterdir())


def test_a_loss_that_is_no_number_is_said_and_the_last_checkpoint_kept(
    tmp_path, data, monkeypatch
):
    from_epoch_two(monkeypatch, lambda settings, epoch: 1e30)
    with pytest.raises(ValueError, match="lower .* epoch 1 is kept in") as said:
        training.fit(*data, TINY, device="cpu", checkpoint_folder=tmp_path)
    assert "\n" not in str(said.value)
    assert len(checkpoints.load(tmp_path)["history"]["softmax_loss"]) == 1


def test_checkpoints_of_another_run_are_refused(tmp_path, data):
    once = replace(TINY, epochs=1)
    training.fit(*data, once, device="cpu", checkpoint_folder=tmp_path)
    for settings, images, says in [
        (replace(once, lam=0.5), data, "lam is 0.9 there and 0.5 here"),
        (once, (squares(60), data[1]), "training images is '.*' there and '.*' here"),
    ]:
        with pytest.raises(ValueError, match=says):
            training.fit(*images, settings, checkpoint_folder=tmp_path, resume=True)
    # One from before there were heads is of a linear one.
    older = checkpoints.load(tmp_path)
    del older["of"]["head"]
    checkpoints.save(tmp_path, 1, older)
    training.fit(*data, once, device="cpu", checkpoint_folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="head is 'linear' there and 'normface' here"):
        training.fit(
            *data,
            replace(once, head="normface"),
            checkpoint_folder=tmp_path,
            resume=True,
        )


def test_kept_runs_go_on_by_themselves(build, data, monkeypatch):
    whole = training.fit(*data, TINY, device="cpu")
    real, epochs = algorithm.train_epoch, []

    def counted(*given):
        epochs.append(given[2])
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(algorithm, "train_epoch", counted)
    with pytest.raises(KeyboardInterrupt):
        training.load_or_train(*data, TINY, device="cpu")
    assert same(training.load_or_train(*data, TINY, device="cpu"), whole)
    assert epochs == [0, 1, 2, 2]
    assert not any((build / "runs" / ".checkpoints").iterdir())
    training.load_or_train(*data, TINY, device="cpu")
    assert len(epochs) == 4


@pytest.mark.gpu
def test_a_gpu_goes_on_as_if_nothing_had_happened(tmp_path, data):
    options = {"device": "cuda", "checkpoint_folder": tmp_path}
    whole = training.fit(*data, TINY, **options)
    (tmp_path / "epoch-00003.pt").unlink()
    rest = training.fit(*data, TINY, resume=True, **options)
    assert same(rest, whole)
