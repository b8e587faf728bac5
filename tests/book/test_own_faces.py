"""Chapters on photographs and on a reader's own folder, by papermill's command."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fersep_book import records
from PIL import Image

pytestmark = pytest.mark.chapters

ROOT = Path(__file__).resolve().parents[2]
#: These draw from recorded runs, and from the same arms trained on a reader's faces.
RECORDED = ("03_softmax_features", "08_training", "09_similarity", "10_convergence")
RECORDED += ("11_tsne", "12_accuracy", "13_sweeps", "14_ablations")
RECORDED += ("14b_systems", "14c_gates", "15_transfer")

PHOTOGRAPHS = {"data": "facial_expressions", "size": 2500, "epochs": 5, "n_seeds": 2}
OWN = {
    "data": "folder",
    "size": 0,
    "image_size": 32,
    "width": 8,
    "epochs": 2,
    "batch_size": 20,
    "n_seeds": 1,
    "lam": 2,
    "alpha": 0.3,
    "init": "normal",
    "seed": 7,
}
#: What a chapter asks for beside the others, and what it does not know.
OTHERS = {
    "03_softmax_features": ({}, ("lam", "alpha", "init")),
    "08_training": ({"arms": "softmax, published"}, ()),
    "13_sweeps": ({"arms": "lam=0, lam=0.1", "lengths": "linear-64, relu-64"}, ()),
    # Its arms bring λ and their first centers.
    "14_ablations": ({"arms": "separate, fixed"}, ("lam", "init")),
    "14b_systems": ({"arms": "exact, arcface"}, ("lam", "alpha", "init")),
    "14c_gates": ({"arms": "patches, pgcnn"}, ("lam", "alpha", "init")),
}
WRONG = {
    "lam (λ) must be a number of at least 0, got -1.0": {"lam": -1.0},
    "alpha (α) must be a number of at least 0": {"alpha": -0.1},
    "parameter epochs must be of type int, got 'many'": {"epochs": "many"},
    "folder needs root, the folder that holds its files": {"data": "folder"},
    "device must be auto, cpu or cuda; got 'gpu'": {"device": "gpu"},
}


def own_folder(root):
    """Three classes of a reader's own, unequal, under names no data set uses."""
    g = np.random.default_rng(0)
    for c, (name, number) in enumerate([("yawn", 150), ("wink", 70), ("frown", 40)]):
        for i in range(number):
            picture = g.integers(0, 140, (6, 6, 3), dtype=np.uint8)
            picture[2 * c : 2 * c + 2] += 110
            path = root / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).resize((40, 40)).save(path)


def order_of(item, folder):
    """The chapter that a test runs, and its parameters."""
    given = getattr(item, "callspec", item).__dict__.get("params", {})
    if "says" in given:
        small = {"data": "rendered_basic", "size": 200, "n_seeds": 1}
        return "08_training", small | WRONG[given["says"]]
    if "chapter" not in given:
        root = Path(os.environ.get("FERSEP_FACES", ""))
        return "08_training", PHOTOGRAPHS | {"root": str(root.resolve())}
    chapter = given["chapter"]
    own_folder(folder / "faces")
    more, unknown = OTHERS.get(chapter, ({}, ()))
    parameters = OWN | {"root": str(folder / "faces")} | more
    if chapter == "15_transfer":
        own_folder(folder / "elsewhere")
        parameters |= {"other": "folder", "other_root": str(folder / "elsewhere")}
    return chapter, {k: v for k, v in parameters.items() if k not in unknown}


def papermill(item, folder):
    """Run a chapter as a reader does: the parameters, the notebook, what was said."""
    chapter, parameters = order_of(item, folder)
    made = folder / f"{chapter}.ipynb"
    order = [sys.executable, "-m", "papermill", f"book/{chapter}.ipynb", made]
    order += ["--cwd", ".", "--no-progress-bar", "-y", json.dumps(parameters)]
    ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True)
    return parameters, made, ran


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build folder of our own: runs and caches of these tests touch no other."""
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEP_BUILD", str(folder))
        patch.setenv("FERSEP_STATIC", "1")
        yield folder


@pytest.fixture(scope="module")
def jobs(build, tmp_path_factory, request):
    """What the tests of this file run, side by side on two cores."""
    mine = [item for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(2) as pool:
        yield {
            item.name: pool.submit(papermill, item, tmp_path_factory.mktemp("run"))
            for item in mine
            if os.environ.get("FERSEP_FACES") or not item.get_closest_marker("faces")
        }


@pytest.fixture
def ran(jobs, request):
    """What the run of this test left."""
    return jobs[request.node.name].result()


@pytest.mark.faces
def test_photographs(build, faces, ran):
    _, made, said = ran
    assert said.returncode == 0, said.stderr
    record = records.read(made)
    assert all(check.ok for check in record.checks)
    assert record.profile == "own"
    assert record.parameters["size"] == 2500
    values = {value.key: value.mean for value in record.values}
    assert values["seeds"] == 2
    text = str(record)
    assert str(ROOT) not in text
    assert str(faces.resolve()) not in text
    # Two losses, two seeds.
    saved = [json.loads(p.read_text()) for p in (build / "runs").glob("[!.]*/run.json")]
    on_photographs = [r for r in saved if r["data"]["name"] == "facial_expressions"]
    assert len(on_photographs) == 4
    assert values["accuracy.softmax"] > values["majority.accuracy"]
    page = made.read_text(encoding="utf-8")
    assert "Experiment of your own · facial_expressions" in page
    assert "data:image" not in page  # nobody's face


@pytest.mark.parametrize("chapter", RECORDED)
def test_a_readers_own_folder_with_other_parameters(chapter, ran):
    parameters, made, said = ran
    assert said.returncode == 0, said.stderr
    record = records.read(made)
    assert all(check.ok for check in record.checks)
    folders = {k: v for k, v in parameters.items() if k.endswith("root")}
    kept = record.parameters | folders
    assert kept | parameters == kept
    page = made.read_text("utf-8")
    assert "Experiment of your own · folder" in page
    assert "yours" in page
    assert "recorded" in page
    if chapter == "15_transfer":
        assert "yours: folder to folder, another one" in page


@pytest.mark.parametrize("says", WRONG)
def test_a_wrong_parameter_ends_in_one_sentence(says, ran):
    _, _, said = ran
    assert said.returncode != 0
    assert says in said.stderr
