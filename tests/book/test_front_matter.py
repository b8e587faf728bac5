"""What a stranger reads first: README, citation, license, changes."""

import json
import re
import tomllib
from pathlib import Path
from statistics import median

import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_citation_is_of_this_version_and_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    (paper,) = citation["references"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Li", "Lu", "Li", "Lu"]
    assert (paper["volume"], paper["start"], paper["end"]) == (101, 897, 911)


def test_license_covers_code_and_text():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "SPDX: MIT" in text
    assert "WITHOUT WARRANTY OF ANY KIND" in text
    assert "SPDX: CC-BY-4.0" in text


def test_changes_begin_with_this_version():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == PROJECT["version"]


def test_code_of_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    space: dict = {}
    exec(code, space)
    assert space["features"].grad.abs().sum() > 0


def test_files_of_the_readme_exist():
    named = re.findall(r"\]\((?!http)([^)]+)\)|(book/\w+\.ipynb)", README)
    for path in filter(None, (name for pair in named for name in pair)):
        assert (ROOT / path).is_file(), path


def test_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^make (\w+)|`make (\w+)`", README, re.M)
    assert len(targets) >= 3
    for target in map("".join, targets):
        assert re.search(rf"^{target}:", makefile, re.M), target


def recorded_speed() -> list[str]:
    """Lines of the README, from the records of the benchmarks."""

    def read(name):
        return json.loads((ROOT / "results" / "cpu" / name).read_text("utf-8"))

    loss, maps = read("loss_benchmark.json")["rows"], read("tsne.json")["rows"][0]
    step = {row["form"]: row["milliseconds"] for row in loss if row["s"] == 7}
    rates = read("training/width-64.json")["images per second"]
    fit, bare = (median(rates[f"bfloat16, {what}"]) for what in ("fit", "bare"))
    return [
        "loss, gradient and step of the centers, m = 100, d = 512, s = 7: "
        f"{step['separate loss, by hand']:.2f} ms; "
        f"autograd {step['separate loss, autograd']:.2f} ms",
        "training, ResNet18 of full width, 48 pixels: "
        f"{fit:.0f} images/s; the bare network {bare:.0f}",
        f"t-SNE of {maps['points']:,} features: {maps['fersep']:.1f} s; "
        f"scikit-learn {maps['scikit-learn']:.1f} s",
    ]


def test_the_readme_shows_the_recorded_speed():
    assert "\n".join(recorded_speed()) in README
