"""The benchmark of the loss at a tiny size: it runs, and what should be equal is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loss.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("benchmark_of_the_loss", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_runs_and_all_values_agree(bench, tmp_path):
    out = tmp_path / "loss.json"
    sizes = [
        "--classes",
        "3",
        "12",
        "--batch-size",
        "8",
        "--feature-dim",
        "6",
        "--rounds",
        "2",
    ]
    network = ["--width", "2", "--image-size", "32", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *sizes, *network, "--out", out],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert [(r["form"], r["s"]) for r in found["rows"]] == [
        (form, s) for s in (3, 12) for form in bench.FORMS
    ]
    assert all(row["milliseconds"] > 0 for row in found["rows"])
    assert {
        row["times_ours"] for row in found["rows"] if row["form"] == bench.OURS
    } == {1.0}
    assert all(row["equal"] for row in found["values"])
    assert len(found["values"]) == 2 * 9 + 3 + 4
    assert found["share"]["images"] == [8, 3, 32, 32]
    assert found["benchmark"] == "loss"
    assert list(tmp_path.iterdir()) == [out]


def test_a_wrong_form_is_found(bench, monkeypatch):
    assert all(row["equal"] for row in bench.same_values(9, 4, 5, "cpu"))
    right = bench.by_pairs

    def wrong(centers):
        step = right(centers)
        return lambda x, y: (step(x, y)[0] + 1e-6, *step(x, y)[1:])

    monkeypatch.setitem(bench.FORMS, "separate loss, textbook pairs", wrong)
    unequal = [r["what"] for r in bench.same_values(9, 4, 5, "cpu") if not r["equal"]]
    assert "separate loss, by hand and textbook pairs: loss" in unequal


def test_memory_counts_the_matrix_of_pairs(bench):
    if torch.cuda.is_available():
        pytest.skip("a process that has used CUDA must not be forked")
    few, many = (
        bench.peak_bytes(f"separate loss, {form}", 4, 4, 2000, "cpu")
        for form in ("by hand", "textbook pairs")
    )
    # One matrix of 2,000 x 2,000 single floats is 16 MB.
    assert few < 8e6
    assert many > 32e6
