"""Experiments are files; Snakemake runs what is missing of one."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import papermill
import pytest
import yaml
from fersep_book import ROOT

from fersep.training import Settings

EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yml"))
DATA = {"data", "root", "size", "image_size", "difficulty"}
TINY = """\
question: Does it run?
parameters:
  {data: rendered_basic, size: 200, image_size: 16, width: 2, epochs: 1, lam: 1,
   feature_dim: 3, feature_relu: true}
matrix: {rule: [exact, mean], seed: [0]}
"""


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_names_what_its_program_takes(path):
    plan = yaml.safe_load(path.read_text("utf-8"))
    assert plan["question"].endswith("?")
    known = DATA | {field.name for field in fields(Settings)}
    if "chapter" in plan:
        known = papermill.inspect_notebook(ROOT / f"book/{plan['chapter']}.ipynb")
    assert {*plan["parameters"], *plan["matrix"]} <= set(known)


def snakemake(folder: Path) -> str:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    version = re.search(r"SNAKEMAKE := (\S+)", makefile)[1]
    order = [Path(sys.executable).with_name("uv"), "tool", "run"]
    order += [f"snakemake=={version}", "-s", "experiments/Snakefile", "--cores", "1"]
    order += ["--config", "experiment=tiny", f"folder={folder}", f"out={folder}"]
    order += [f"python={sys.executable}"]
    ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def test_an_experiment_runs_what_is_missing(tmp_path):
    (tmp_path / "tiny.yml").write_text(TINY)
    assert "train        2" in snakemake(tmp_path)
    runs = [tmp_path / "tiny" / f"rule={rule},seed=0" for rule in ("exact", "mean")]
    assert all((run / "history.csv").is_file() for run in runs)
    asked = json.loads((runs[1] / "run.json").read_text())["settings"]
    assert (asked["rule"], asked["seed"], asked["lam"]) == ("mean", 0, 1)
    assert asked["feature_relu"] is True
    for file in runs[1].iterdir():
        file.unlink()
    assert "train        1" in snakemake(tmp_path)
    assert all((run / "history.csv").is_file() for run in runs)
