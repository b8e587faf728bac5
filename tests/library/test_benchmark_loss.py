"""The benchmark of the loss at a tiny size: it runs, and what should be equal is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loss.py"
SIZES = "--classes 3 1000 --batch-size 8 --feature-dim 6 --rounds 2 --width 2"


def test_it_runs_and_counts_the_matrices_of_pairs(tmp_path):
    out = tmp_path / "loss.json"
    options = [*SIZES.split(), "--image-size", "32", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *options],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == [out]
    found = json.loads(out.read_text("utf-8"))
    assert found["share"]["images"] == [8, 3, 32, 32]
    rows = {(row["form"], row["s"]): row for row in found["rows"]}
    assert len(rows) == 28
    assert all(row["milliseconds"] > 0 for row in found["rows"])
    assert rows["separate loss, by hand", 3]["times_ours"] == 1
    # One matrix of 1,000 x 1,000 single floats is 4 MB.
    assert rows["separate loss, by hand", 1000]["megabytes"] < 4
    assert rows["separate loss, textbook pairs", 1000]["megabytes"] > 8


def test_a_wrong_form_is_found(monkeypatch):
    spec = importlib.util.spec_from_file_location("benchmark_of_the_loss", SCRIPT)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert bench.largest_gap(9, 4, 5) < 1

    def wrong(centers):
        step = bench.by_pairs(centers)
        return lambda x, y: (step(x, y)[0] + 1e-6, *step(x, y)[1:])

    monkeypatch.setitem(bench.FORMS, "separate loss, textbook pairs", wrong)
    assert bench.largest_gap(9, 4, 5) > 1
