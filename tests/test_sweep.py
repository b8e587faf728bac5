"""A sweep: real papermill runs of a small notebook, one of which fails."""

import csv
import json
import shlex
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fersep import __main__, sweep

PARAMETERS = """\
x: int = 1  # a number
word: str = "a"  # a text
flag: bool = False  # yes or no
rate: float = 0.5  # another number
"""

BODY = """\
from fersep import equations, records
records.start("99_small", globals())
if x == 3:
    raise ArithmeticError("x may not be 3")
records.check("small", "x is small", x, 0, tol=10)
records.value("double", 2 * x)
records.value("text", word)
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path))

    def write(body=BODY):
        parameters = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        cells = [parameters, new_code_cell(body), new_code_cell("records.save()")]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        whole = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(whole, tmp_path / "99_small.ipynb")
        return tmp_path / "99_small.ipynb"

    return write


def rows(folder):
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_failing_run_is_said_and_the_others_go_on(notebook, tmp_path, capsys):
    out = tmp_path / "swept"
    order = ["sweep", str(notebook()), "-p", "x", "3", "1", "--out", str(out)]
    order += ["-p", "word", "1"]  # a text, though it looks like a number
    assert __main__.main(order) == 1
    printed = capsys.readouterr()
    assert "x=3,word=1 failed: ArithmeticError: x may not be 3" in printed.err
    assert "1 of 2 runs in" in printed.out
    assert [(r["x"], r["word"], r["value"], r["mean"]) for r in rows(out)] == [
        ("1", "1", "double", "2.0"),
        ("1", "1", "text", "1"),
    ]
    (one,) = json.loads((out / "table.json").read_text(encoding="utf-8"))
    assert one["parameters"] == {"x": 1, "word": "1"}
    assert one["record"]["chapter"] == "99_small"
    good = out / "x=1,word=1.ipynb"

    # What failed runs again and what is good stays.
    notebook(BODY.replace("x == 3", "x == 33"))
    text = good.read_text(encoding="utf-8").replace("x == 3", "x == 33")
    good.write_text(text, encoding="utf-8")
    before = good.stat().st_mtime_ns
    assert __main__.main(order) == 0
    assert "1 of 2 runs are good and stay" in capsys.readouterr().out
    assert good.stat().st_mtime_ns == before
    assert not list(out.glob("*.failed.ipynb"))
    assert [r["x"] for r in rows(out)] == ["3", "3", "1", "1"]

    # A notebook that says something else is run again.
    notebook(BODY.replace("2 * x", "20 * x"))
    order = [word for word in order if word != "3"]
    assert __main__.main(order) == 0
    assert good.stat().st_mtime_ns != before
    assert rows(out)[0]["mean"] == "20.0"


def test_printed_commands_make_the_same_run(notebook, tmp_path, capsys):
    out = tmp_path / "swept"
    order = ["sweep", str(notebook()), "-p", "x", "1", "2", "--out", str(out)]
    order += ["-p", "word", "/a folder/b"]
    assert __main__.main([*order, "--print"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    program, *words = shlex.split(lines[0])
    assert program == "papermill"
    command = [sys.executable, "-m", "papermill", *words]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = out.iterdir()
    values = {"x": 1, "word": "/a folder/b"}
    assert sweep.is_good(made, notebook(), values)
    assert not sweep.is_good(made, notebook(), {**values, "x": 2})

    text = made.read_text(encoding="utf-8")
    for good, bad in [
        ('"ok": true', '"ok": false'),
        ('"fersep.equations": "', '"fersep.equations": "0'),
        ('"fersep.equations": "', '"fersep.gone": "'),
        ("record+json", "other+json"),
    ]:
        assert good in text
        made.write_text(text.replace(good, bad), encoding="utf-8")
        assert not sweep.is_good(made, notebook(), values)


def test_types_are_those_of_the_notebook(notebook):
    parameters = [["x", "1"], ["flag", "True", "False"], ["rate", "1", "1e-3"]]
    found = sweep.combinations(notebook(), parameters)
    assert len(found) == 4
    assert found[0] == {"x": 1, "flag": True, "rate": 1.0}
    assert found[3] == {"x": 1, "flag": False, "rate": 0.001}
    assert sweep.name_of(found[3]) == "x=1,flag=False,rate=0.001"


def test_names_stay_different_and_short():
    names = {sweep.name_of({"root": text}) for text in ("a/b", "a_b", "a b", "c" * 200)}
    assert len(names) == 4
    assert all(len(name) < 130 and "/" not in name for name in names)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["y", "1"], "has no parameter 'y'; it has x, word, flag, rate"),
        (["x", "one"], "parameter x must be of type int, got 'one'"),
        (["x", "1.5"], "parameter x must be of type int"),
        (["flag", "yes"], "parameter flag must be of type bool"),
        (["rate", "inf"], "parameter rate must be a finite number"),
        (["x"], "give -p x once, with its values behind it"),
        (["x", "1", "1"], "-p x holds 1 twice"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    notebook, tmp_path, capsys, words, says
):
    order = ["sweep", str(notebook()), "-p", *words, "--out", str(tmp_path / "swept")]
    assert __main__.main(order) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "swept").exists()


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    with pytest.raises(ValueError, match="is no notebook"):
        sweep.combinations(tmp_path / "none.ipynb", [["x", "1"]])
    (tmp_path / "empty.ipynb").write_text('{"cells": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="no cell tagged parameters"):
        sweep.combinations(tmp_path / "empty.ipynb", [["x", "1"]])
