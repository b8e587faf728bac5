"""Chapters on photographs and on a reader's own folder, through papermill."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import papermill
import pytest
from fersep_book import records
from PIL import Image

pytestmark = pytest.mark.chapters

ROOT = Path(__file__).resolve().parents[2]
#: These draw from recorded runs, and from the same arms trained on a reader's faces.
RECORDED = ("03_softmax_features", "08_training", "09_similarity", "10_convergence")
RECORDED += ("11_tsne", "12_accuracy", "13_sweeps", "14_ablations")
RECORDED += ("14b_systems", "14c_gates", "15_transfer")


def run(chapter, out, parameters):
    """Run a chapter as a reader does and return its record."""
    papermill.execute_notebook(
        ROOT / "book" / f"{chapter}.ipynb",
        out / f"{chapter}.ipynb",
        parameters=parameters,
        cwd=ROOT,
        progress_bar=False,
        coalesce_streams=True,
    )
    return records.read(out / f"{chapter}.ipynb")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build folder of our own: runs and caches of these tests touch no other."""
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEP_BUILD", str(folder))
        patch.setenv("FERSEP_STATIC", "1")
        yield folder


PHOTOGRAPHS = {"data": "facial_expressions", "size": 2500, "epochs": 5, "n_seeds": 2}


@pytest.mark.faces
def test_photographs(build, faces, tmp_path):
    parameters = {**PHOTOGRAPHS, "root": str(faces.resolve())}
    record = run("08_training", tmp_path, parameters)
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
    page = (tmp_path / "08_training.ipynb").read_text(encoding="utf-8")
    assert "Experiment of your own · facial_expressions" in page
    assert "data:image" not in page  # nobody's face


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


def rerun(chapter, folder):
    """Run a chapter on a folder of our own, and return parameters, record and page."""
    own_folder(folder / "faces")
    parameters = {
        "data": "folder",
        "root": str(folder / "faces"),
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
    more, unknown = OTHERS.get(chapter, ({}, ()))
    parameters |= more
    for name in unknown:
        del parameters[name]
    if chapter == "15_transfer":
        own_folder(folder / "elsewhere")
        parameters |= {"other": "folder", "other_root": str(folder / "elsewhere")}
    made = folder / f"{chapter}.ipynb"
    order = [sys.executable, "-m", "papermill", f"book/{chapter}.ipynb", made]
    order += ["--cwd", ".", "--no-progress-bar", "-y", json.dumps(parameters)]
    ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return parameters, records.read(made), made.read_text("utf-8")


@pytest.fixture(scope="module")
def reruns(build, tmp_path_factory, request):
    """All chapters that are tested, by the command and two side by side."""
    asked = [getattr(item, "callspec", None) for item in request.session.items]
    chapters = [c.params["chapter"] for c in asked if c and "chapter" in c.params]
    with ThreadPoolExecutor(2) as pool:
        yield {
            chapter: pool.submit(rerun, chapter, tmp_path_factory.mktemp("own"))
            for chapter in chapters
            if chapter in RECORDED
        }


@pytest.mark.parametrize("chapter", RECORDED)
def test_a_readers_own_folder_with_other_parameters(chapter, reruns):
    parameters, record, page = reruns[chapter].result()
    assert all(check.ok for check in record.checks)
    folders = {k: v for k, v in parameters.items() if k.endswith("root")}
    kept = record.parameters | folders
    assert kept | parameters == kept
    assert "Experiment of your own · folder" in page
    assert "yours" in page
    assert "recorded" in page
    if chapter == "15_transfer":
        assert "yours: folder to folder, another one" in page


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"lam": -1.0}, "lam (λ) must be a number of at least 0, got -1.0"),
        ({"alpha": -0.1}, "alpha (α) must be a number of at least 0"),
        ({"epochs": "many"}, "parameter epochs must be of type int, got 'many'"),
        ({"data": "folder"}, "folder needs root, the folder that holds its files"),
        ({"device": "gpu"}, "device must be auto, cpu or cuda; got 'gpu'"),
    ],
)
def test_a_wrong_parameter_ends_in_one_sentence(wrong, says, build, tmp_path):
    parameters = {"data": "rendered_basic", "size": 200, "n_seeds": 1, **wrong}
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        run("08_training", tmp_path, parameters)
    assert says in caught.value.evalue
