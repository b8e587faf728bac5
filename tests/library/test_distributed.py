"""Several processes train as one: real processes, connected by gloo."""

import io
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from test_training import TINY, squares
from torch import nn

from fersep import losses, training
from fersep.models import CosineHead
from fersep.training import Run, algorithm

FORK = multiprocessing.get_context("fork")

#: 20, 20 and 7 images: unequal last parts for 2 and for 3 processes, and no process
#: of 3 sees all five classes there.
SETTINGS = replace(TINY, batch_size=20, epochs=2, lr=0.01)


@pytest.fixture(scope="module")
def data():
    classes = ("NE", "HA", "SA", "SU", "FE")
    sets = squares(47), squares(20, seed=1)
    return [replace(x, labels=torch.arange(len(x)) % 5, classes=classes) for x in sets]


class Exact(nn.Module):
    """A small network in double precision without batch norm."""

    feature_dim = 12
    at_landmarks = False

    def __init__(self, settings):
        super().__init__()
        self.body = nn.Linear(3 * 32 * 32, self.feature_dim).double()
        self.fc = nn.Linear(self.feature_dim, 5).double()
        if settings.head != "linear":
            self.fc = CosineHead(self.feature_dim, 5, settings.scale).double()

    def forward(self, images):
        features = torch.tanh(self.body(images.double().flatten(1)))
        return features, self.fc(features)


@pytest.fixture
def exact(monkeypatch):
    def initial_network(num_classes, settings):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return Exact(settings)

    def make_loss(*args, **kwargs):
        return losses.make_loss(*args, **kwargs).double()

    monkeypatch.setattr(algorithm, "initial_network", initial_network)
    monkeypatch.setattr(algorithm, "make_loss", make_loss)


def fitted(data, settings, **options):
    run = training.fit(*data, settings, device="cpu", **options)
    tensors = {**run.model.state_dict(), "centers": run.centers}
    tensors |= {k: torch.tensor(v).double() for k, v in run.history.items()}
    return {**tensors, "every center": run.center_history}, run.provenance


def work_in_group(rank, world, store, work, args, options):
    address = f"file://{store}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=world)
    memory = io.BytesIO()
    torch.save(work(*args, **options), memory)
    dist.destroy_process_group()
    return memory.getvalue()


def together(world, folder, work, *args, **options):
    """Return what each of several connected processes makes."""
    store = folder / "store"
    store.unlink(missing_ok=True)
    with ProcessPoolExecutor(world, FORK) as pool:
        given = [(rank, world, store, work, args, options) for rank in range(world)]
        jobs = [pool.submit(work_in_group, *each) for each in given]
        return [torch.load(io.BytesIO(job.result())) for job in jobs]


def fit_together(world, folder, *args, **options):
    """Return what each of several processes has after the training."""
    answers = together(world, folder, fitted, *args, **options)
    assert all(said["processes"] == world for _, said in answers)
    return [tensors for tensors, _ in answers]


def move_centers():
    torch.manual_seed(dist.get_rank())  # each process starts with a seed of its own
    loss = losses.SeparateLoss(5, 8, init="means")
    first = loss.centers.clone()
    loss.update(torch.randn(6, 8), torch.arange(6) % 2)
    return first, loss.centers


def test_centers_are_those_of_the_first_process_from_the_first_step(tmp_path):
    (mine, moved), (other, there) = together(2, tmp_path, move_centers)
    assert not torch.equal(mine, other)
    assert torch.equal(moved, there)


def gap(a, b):
    """Return the largest difference of two trainings, and where it is."""
    return max((float((a[k] - b[k]).abs().max()), k) for k in a)


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rule": "published", "init": "means"},
        {"loss": "center", "lam": 0.01},
        {"loss": "island", "lam": 0.01},
        {"head": "arcface", "margin": 0.3, "smoothing": 0.1},
    ],
    ids=["separate", "published, means", "center", "island", "arcface"],
)
def test_parts_of_a_batch_train_as_the_batch(exact, data, tmp_path, world, change):
    settings = replace(SETTINGS, **change)
    alone, _ = fitted(data, settings)
    together = fit_together(world, tmp_path, data, settings)
    for one in together:
        assert gap(one, alone) < (1e-10, "")
        assert gap(one, together[0]) == (0.0, gap(one, together[0])[1])


def test_the_real_network_ends_alike_everywhere_and_resumes(data, tmp_path):
    settings = replace(SETTINGS, epochs=3)
    whole = fit_together(2, tmp_path, data, settings)
    assert gap(*whole)[0] == 0
    folder = tmp_path / "kept"
    half = {"checkpoint_folder": folder, "resume": True}
    fit_together(2, tmp_path, data, settings, **half)
    (folder / "epoch-00003.pt").unlink()
    again = fit_together(2, tmp_path, data, settings, **half)
    assert gap(again[0], whole[0])[0] == gap(again[1], whole[0])[0] == 0


@pytest.mark.parametrize(
    ("device", "n", "batch_norm"),
    [
        ("cpu", 2, "of each process"),
        pytest.param("cuda", 1, "joined", marks=pytest.mark.gpu),
    ],
)
def test_torchrun_writes_one_run(tmp_path, device, n, batch_norm):
    joined = " --sync-batch-norm" if batch_norm == "joined" else ""
    order = (
        f"-m torch.distributed.run --nproc-per-node {n} --standalone -m fersep train "
        f"--out {tmp_path / 'run'} --size 200 --image-size 32 --difficulty easy "
        f"--device {device} --epochs 2 --width 4 --batch-size 25{joined}"
    )
    done = subprocess.run(
        [sys.executable, *order.split()],
        capture_output=True,
        text=True,
        cwd=Path(training.__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "FERSEP_BUILD": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert (
        f"{n} process(es) on {device}: separate, λ = 0.9, seed 0, from scratch"
        in done.stdout
    )
    assert done.stdout.count("validation accuracy") == 1
    assert not (tmp_path / "run.checkpoints").exists()
    run = Run.load(tmp_path / "run")
    assert run.provenance["processes"] == n
    assert run.provenance["batch_norm"] == batch_norm
