"""Experiments are files; Snakemake runs what is missing; results keep the seal."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from fersep_book import ROOT, evidence

from fersep import analysis, equations, rendered, training
from fersep.models import expression_net
from fersep.training import Settings

EXPERIMENTS = sorted(path.stem for path in (ROOT / "experiments").glob("*.yml"))
OPTIONS = {"data", "size", "image_size", "difficulty", "class_counts", "also", "follow"}
OPTIONS |= {"no_test", "brief"} | {field.name for field in fields(Settings)}
TINY = """\
question: Does it run?
data: rendered faces
parameters:
  {data: rendered_basic, size: 200, image_size: 16, width: 2, epochs: 1,
   feature_dim: 16, feature_relu: true}
matrix: {lam: [1], rule: [mean]}
arms:
  softmax: {lam: 0, follow: ["exact,sphere,20", "mean,normal,30"]}
seeds: [0, 1]
outcome: accuracy
rule: none
minutes: 0
"""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_all_that_a_reader_asks(name):
    plan = evidence.read_plan(name)
    assert plan["question"].endswith("?")
    assert {"data", "outcome", "rule", "seeds", "minutes"} <= set(plan)
    for arm in plan["arms"].values():
        assert {*plan["parameters"], *arm} <= OPTIONS
        known = {field.name for field in fields(Settings)}
        Settings(**{k: v for k, v in (plan["parameters"] | arm).items() if k in known})


def test_every_system_had_as_many_trials_and_the_best_is_taken():
    plan, pilot = (evidence.load(f"fer2013-systems{end}") for end in ("", "-pilot"))
    six = dict.fromkeys(yaml.safe_load(text_of(plan.name))["arms"], 6)
    assert Counter(arm.partition(",")[0] for arm in pilot.plan["arms"]) == six
    rules = evidence.read_plan("fer2013-loss-pilot")["arms"].values()
    assert Counter(arm["rule"] for arm in rules) == dict.fromkeys(evidence.RULES, 6)
    for row in plan.plan["handcrafted"].values():
        assert len({str(trial) for trial in row["trials"]}) == 6
    # What is taken from another experiment was trained as the rest is.
    parameters = evidence.read_plan("fer2013")["parameters"] | {"brief": True}
    del parameters["also"]
    assert plan.plan["parameters"] == parameters
    # The arms get their values once the pilot has them.
    assert pilot.complete == ("waits" not in plan.plan)
    for arm in six if pilot.complete else ():
        trials = [name for name in pilot.runs if name.startswith(f"{arm},")]
        best = max(
            trials,
            key=lambda name: pilot.of(name)[0].facts["history"]["validation_accuracy"][
                -1
            ],
        )
        assert plan.plan["arms"][arm] == pilot.plan["arms"][best]


def test_twins_on_rendered_faces_have_the_same_settings():
    losses, systems, base, gates, placed = map(
        evidence.read_plan,
        (
            "rendered-losses",
            "fer2013-systems",
            "rendered-basic",
            "rendered-gates",
            "rendered-landmarks",
        ),
    )
    own = losses["arms"].keys() - base["arms"].keys()
    assert len(own) == 7
    assert all(losses["arms"][arm] == systems["arms"][arm] for arm in own)
    assert losses["parameters"] == base["parameters"] | {"brief": True}
    assert placed["parameters"] == gates["parameters"]
    assert placed["covers"] == gates["covers"]
    for arm in ("patches", "pgcnn", "gacnn"):
        there = placed["arms"][f"{arm}-landmarks"]
        assert there == gates["arms"][arm] | {"arch": f"{arm}-landmarks"}
    rows = evidence.read_plan("rendered-systems")["handcrafted"]
    for kind in ("linear", "rbf"):
        there = placed["handcrafted"][f"landmarks-{kind}"]
        assert there == rows[f"patches-{kind}"] | {"features": "landmarks"}


def text_of(name):
    return (ROOT / "experiments" / f"{name}.yml").read_text("utf-8")


def test_results_are_small_and_belong_to_their_experiments():
    files = list((ROOT / "results").glob("*/*.npz"))
    assert sum(file.stat().st_size for file in files) < 19e6
    for name in {file.parent.name for file in files}:
        evidence.load(name)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_code_still_behaves_as_when_results_were_made(name):
    assert evidence.outdated(evidence.load(name)) == []


def snakemake(folder: Path, *more: str) -> str:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    version = re.search(r"SNAKEMAKE := (\S+)", makefile)[1]
    order = [Path(sys.executable).with_name("uv"), "tool", "run"]
    order += [f"snakemake=={version}", "-s", "experiments/Snakefile", "--cores", "2"]
    order += ["--config", "experiment=tiny", f"folder={folder / 'experiments'}"]
    order += [f"out={folder / 'results'}", f"python={sys.executable}", *more]
    ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr + ran.stdout


SETS = """\
parameters: {also: [fer2013, facial_expressions, rendered_basic]}
arms:
  one: {data: fer2013}
  two: {data: facial_expressions}
  three: {data: rendered_basic}
seeds: [0]
minutes: 0
"""


def test_each_set_of_photographs_has_its_own_folder(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "tiny.yml").write_text(SETS)
    said = snakemake(tmp_path, "root=mine", "facial_expressions=press", "-n", "-p")
    for words in (
        "fer2013 --seed 0 --root mine --also facial_expressions=press --also rendered_",
        "facial_expressions --seed 0 --root press --also rendered_basic=\n",
        "rendered_basic --seed 0 --also facial_expressions=press\n",
    ):
        assert f" --data {words}" in said


def test_an_experiment_runs_what_is_missing_and_its_results_are_read(tmp_path):
    place = tmp_path / "experiments"
    place.mkdir()
    (place / "tiny.yml").write_text(TINY)
    said = snakemake(tmp_path)
    assert "tiny: 4 of 4 runs are left" in said
    assert "train        4" in said
    kept = tmp_path / "results" / "tiny"
    (kept / "softmax-1.npz").unlink()
    assert evidence.load("tiny", tmp_path).seeds == [0]
    assert "train        1" in snakemake(tmp_path)
    evidence.load.cache_clear()
    found = evidence.load("tiny", tmp_path)
    assert found.complete
    assert list(found.runs) == ["softmax", "lam=1,rule=mean"]
    run = found.runs["lam=1,rule=mean"][1]
    asked = run.facts["settings"]
    assert (asked["rule"], asked["seed"], asked["lam"]) == ("mean", 1, 1)
    assert asked["feature_relu"] is True
    assert "agreement.mean,normal,30" in found.of("softmax")[0].facts["history"]
    assert run.right.mean() * 100 == pytest.approx(
        np.nansum(run.recall * np.bincount(run.labels, minlength=len(run.recall)))
        / len(run.labels)
    )
    pairs = zip(found.of("lam=1,rule=mean"), found.of("softmax"), strict=True)
    by_hand = [new.right.astype(float) - old.right for new, old in pairs]
    gain = analysis.two_way_interval(100 * np.array(by_hand))
    assert found.gain("lam=1,rule=mean") == gain
    assert "2 arms × 2 seeds" in found.source()
    assert evidence.outdated(found) == []

    # Another experiment takes these runs, and trains none of them again.
    reusing = "reuse: {tiny: [softmax]}\nseeds: [1]\nminutes: 0\n"
    (place / "more.yml").write_text(reusing)
    more = evidence.load("more", tmp_path)
    assert more.complete
    assert more.of("softmax") == found.of("softmax")[1:]
    assert "more: 0 of 0 runs are left" in snakemake(tmp_path, "experiment=more")
    (place / "more.yml").write_text(reusing + "waits: tiny\n")
    with pytest.raises(AssertionError, match="more waits for tiny: run that, give the"):
        snakemake(tmp_path, "experiment=more")

    (place / "tiny.yml").write_text(TINY.replace("[0, 1]", "[0, 1, 2]"))
    evidence.load.cache_clear()
    with pytest.raises(ValueError, match=r"tiny/\S+ was made under another text"):
        evidence.load("tiny", tmp_path)


def test_handcrafted_rows_are_tried_on_rendered_faces(tmp_path):
    order = [Path(sys.executable).with_name("uv"), "run", "--no-project", "--python"]
    order += [sys.executable, "--with", "scikit-image==0.26.0", "python"]
    order += ["experiments/handcrafted.py", "fer2013-systems"]
    trial = ["--data", "rendered_basic", "--size", "500"]
    rows = evidence.read_plan("fer2013-systems")["handcrafted"]

    # Small sums on many threads wait for one another.
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def run(*more):
        return subprocess.run(
            [*order, *more], cwd=ROOT, env=alone, capture_output=True, text=True
        )

    assert "is a trial: name a folder --out" in run(*trial).stderr
    done = run(*trial, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    better = []
    for name, row in rows.items():
        kept = np.load(tmp_path / f"{name}.npz")
        facts = json.loads(str(kept["facts"]))
        right = kept["validation_predictions"] == kept["validation_labels"]
        scores = facts["history"]["trials"]
        assert len(scores) == 6
        assert facts["settings"]["taken"] == row["trials"][np.argmax(scores)]
        # All training images take part in the trials here, so the best is the last.
        assert 100 * right.mean() == pytest.approx(max(scores))
        assert facts["note"]["seal"] == ""
        answers = kept["test_labels"], kept["test_predictions"]
        by_chance = np.prod([np.bincount(a, minlength=7) / len(a) for a in answers], 0)
        better.append(np.equal(*answers).mean() - by_chance.sum())
    assert np.mean(better) > 0.04
    (tmp_path / "hog-rbf.npz").unlink()
    assert run(*trial, "--out", str(tmp_path)).stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("part", "arms"),
    [
        ("inter_weight", {"exact", "mean"}),
        ("intra_weights", {"mean"}),
        ("exact_intra_weight", {"exact"}),
    ],
)
def test_a_changed_sign_is_told_of(part, arms, monkeypatch):
    right = getattr(equations, part)
    monkeypatch.setattr(equations, part, lambda *given: right(*given))
    assert evidence.outdated(evidence.load("fer2013")) == []
    monkeypatch.setattr(equations, part, lambda *given: -right(*given))
    assert arms <= set(evidence.outdated(evidence.load("fer2013")))


def test_the_sweep_of_covers_looks_at_the_same_faces(monkeypatch, tmp_path):
    place = ROOT / "experiments" / "gates.py"
    spec = importlib.util.spec_from_file_location("sweep_of_gates", place)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert evidence.read_plan("rendered-gates")["covers"] == list(script.COVERS)
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path))
    monkeypatch.setattr(script, "FACES", 24)
    monkeypatch.setattr(script, "LABELS", script.LABELS[:24])
    torch.manual_seed(0)
    model = expression_net("gacnn", width=2, stem="small").eval()
    found = script.sweep(model)
    assert found["sweep_predictions"].shape == (2, 6, 24)
    assert found["example_gates"].shape == (2, 6, 4, 25)
    assert found["closing"].shape == (2, 3)
    share = found["sweep_covered"].astype(float)
    assert (share[:, 0] == 0).all()
    assert (np.diff(share, axis=1) >= 0).all()
    # From below the mouth is covered first, from above the brows.
    brows, mouth = slice(0, 2), slice(4, 7)
    assert share[0, 3, mouth].min() > share[0, 3, brows].max()
    assert share[1, 3, brows].max() > share[1, 3, mouth].max()
    index = script.FIRST + torch.arange(24)
    faces = rendered.draw("rendered_basic", index, script.LABELS, -1.5)
    _, logits = training.evaluate(model, faces)
    assert (found["sweep_predictions"][1, 4] == logits.argmax(1).numpy()).all()
    gates = model.gates(training.normalize(faces)).detach()
    assert np.allclose(found["sweep_gates"][1, 4], gates.mean(0), atol=1e-3)
