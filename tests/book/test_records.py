"""Records: what a chapter keeps, in a real kernel, and what a reader gets to see."""

import json
import math
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
import torch
from fersep_book import records
from fersep_book.__main__ import main
from nbformat.v4 import new_code_cell, new_notebook
from papermill import PapermillExecutionError


@pytest.fixture
def shown(monkeypatch):
    """Collect what a chapter displays: pairs of data and metadata."""
    outputs = []
    monkeypatch.setattr(
        records, "_display", lambda data, meta, **_: outputs.append((data, meta))
    )
    return outputs


def begin(**parameters):
    kinds = {name: type(value).__name__ for name, value in parameters.items()}
    records.start("99_test", {**parameters, "__annotations__": kinds})


def saved(shown) -> dict:
    records.save()
    return shown[-1][0][records.RECORD_MIME]


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch) -> Path:
    """Keep the tests away from the book's own records."""
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "_build"))
    return tmp_path / "_build"


# start


@pytest.mark.parametrize("key", ["__annotations__", "__annotate__"])
def test_parameters_are_kept(shown, key):
    kinds = {"seed": int, "lam": "float", "data": "str", "gpu": bool}
    given = {"seed": 3, "lam": 1, "data": "folder", "gpu": True}
    late = key == "__annotate__"  # as of Python 3.14
    namespace = {**given, "other": 7, key: (lambda form: kinds) if late else kinds}
    assert records.start("99_test", namespace) == given
    assert saved(shown)["parameters"] == given


@pytest.mark.parametrize(
    ("value", "kind"),
    [("0.5", "float"), (1.5, "int"), (True, "int"), (1, "bool"), (7, "str")],
)
def test_wrong_type_is_one_sentence(value, kind):
    with pytest.raises(TypeError) as caught:
        records.start("99_test", {"lam": value, "__annotations__": {"lam": kind}})
    message = str(caught.value)
    assert message.startswith(f"parameter lam must be of type {kind}, got {value!r}")
    assert ("-r lam 7," if kind == "str" else "-p lam") in message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_parameter_must_be_finite(value):
    with pytest.raises(ValueError, match="parameter lam must be finite"):
        records.start("99_test", {"lam": value, "__annotations__": {"lam": "float"}})


def test_refused_start_leaves_no_record():
    begin(seed=1)
    with pytest.raises(TypeError):
        records.start("99_test", {"seed": "x", "__annotations__": {"seed": int}})
    with pytest.raises(RuntimeError, match="records.start"):
        records.value("a", 1.0)


# check


def test_check_within_tolerance(shown):
    begin()
    records.check("a", "one is nearly one", 1.0 + 1e-9, 1.0, tol=1e-8)
    data, _ = shown[-1]
    assert data["text/plain"] == "1 check passed"
    assert "<li>one is nearly one: 1, expected 1 (within 1e-08)" in data["text/html"]
    (kept,) = saved(shown)["checks"]
    assert kept["statement"] == "one is nearly one"
    assert (kept["id"], kept["want"], kept["tol"], kept["ok"]) == ("a", 1, 1e-8, True)


@pytest.mark.parametrize(
    ("got", "want", "tol"),
    [
        (1.1, 1.0, 0.05),
        (1.0, 2.0, 0.0),
        (math.nan, 1.0, 1e9),
        (math.nan, math.nan, 1e9),
        (1.0, 1.0, math.nan),
        (math.inf, 1.0, 1e9),
        ("up", "down", 0.0),
        (True, False, 0.0),
        (np.True_, False, 0.0),
        (1.0, True, 5.0),
        ("1", 1.0, 5.0),
    ],
)
def test_failed_check_is_written_then_raised(shown, got, want, tol):
    begin()
    with pytest.raises(AssertionError, match=r"^the statement: got .+, want .+"):
        records.check("a", "the statement", got, want, tol)
    (data, _), *_ = shown
    (entry,) = data[records.RECORD_MIME]["checks"]
    assert entry["ok"] is False
    json.dumps(data, allow_nan=False)


def test_check_takes_numbers_of_numpy_and_torch(shown):
    begin()
    records.check("a", "same", torch.tensor(2.0), np.float64(2.0))
    records.check("b", "same", torch.tensor(True), np.bool_(True))
    assert all(entry["ok"] for entry in saved(shown)["checks"])


# value


@pytest.mark.parametrize(
    ("mean", "text"),
    [(1.23456, "1.235"), (-0.5, "−0.500"), (7, "7"), ("rises", "rises")],
)
def test_value_reaches_the_text(shown, mean, text):
    begin()
    records.value("a.b", mean)
    data, meta = shown[-1]
    assert data == {"application/papermill.record/text/plain": repr(text)}
    assert meta["scrapbook"]["name"] == "a.b"


@pytest.mark.parametrize("mean", [math.nan, math.inf])
def test_value_must_be_finite(shown, mean):
    begin()
    for numbers in ((mean,), (1.0, mean)):
        with pytest.raises(ValueError, match="value 'a' must be a finite number"):
            records.value("a", *numbers)


def test_cell_may_run_again_in_a_notebook(shown, monkeypatch):
    monkeypatch.delenv("FERSEP_STATIC", raising=False)
    begin()
    for mean in (1.0, 2.0):
        records.value("a", mean)
        records.check("b", "same", mean, mean)
    body = saved(shown)
    assert [entry["mean"] for entry in body["values"]] == [2.0]
    assert [entry["got"] for entry in body["checks"]] == [2.0]


def test_same_name_twice_is_refused_in_the_book(shown, monkeypatch):
    monkeypatch.setenv("FERSEP_STATIC", "1")
    begin()
    records.value("a", 1.0)
    with pytest.raises(ValueError, match="'a' exists already"):
        records.value("a", 2.0)
    records.check("b", "same", 1, 1)
    with pytest.raises(ValueError, match="'b' exists already"):
        records.check("b", "same", 1, 1)


# save


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/home/someone/my_faces", "my_faces"),
        ("~/my_faces", "my_faces"),
        ("C:\\Users\\someone\\my_faces", "my_faces"),
        ("my_faces", "my_faces"),
        ("near/my_faces", "near/my_faces"),
        ("", ""),
    ],
)
def test_record_holds_no_folder_of_this_machine(shown, given, kept):
    begin(root=given)
    assert saved(shown)["parameters"]["root"] == kept


def test_record_says_what_made_it(shown, monkeypatch):
    monkeypatch.setenv("FERSEP_PROFILE", "cpu")
    begin()
    records.save(data_fingerprint="f00")
    body = shown[-1][0][records.RECORD_MIME]
    assert body["schema"] == 1
    assert body["profile"] == "cpu"
    origin = body["provenance"]
    assert origin["device"] == "cpu"
    assert origin["data_fingerprint"] == "f00"
    assert origin["seconds"] >= 0
    assert {"revision", "versions"} <= set(origin)


# In a real kernel, through papermill.


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_record_travels_inside_the_notebook(tmp_path, monkeypatch):
    code = [
        "from fersep_book import records\nrecords.start('07_toy', globals())",
        "records.check('a', 'size', size, 5)",
        "records.over_pairs('accuracy.gain', [1.0, 2.0], [2.0, 4.0], 'points')",
        "records.save()",
    ]
    given = new_code_cell("size: int = 3\nroot: str = ''")
    given.metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=[given, *map(new_code_cell, code)])
    source, target = tmp_path / "07_toy.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook, source)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    options = {"kernel_name": "python3", "language": "python", "progress_bar": False}
    given = {"size": 5, "root": "/somewhere/faces"}
    papermill.execute_notebook(source, target, given, **options)
    kept = records.read(target)
    assert (kept.chapter, kept.profile) == ("07_toy", "own")
    assert kept.parameters == {"size": 5, "root": "faces"}
    assert kept.checks[0].ok is True
    value = records.Value("accuracy.gain", 1.5, 0.5**0.5, 2, "points")
    assert kept.values == [value]
    with pytest.raises(PapermillExecutionError, match="no parameter siez; .* is size,"):
        papermill.execute_notebook(source, target, {"siez": 5}, **options)


# The command line.


def finished(path: Path, mean=1.0, profile="own", ok=True) -> str:
    """Write an executed notebook that holds one check, one number and one word."""
    check = records.Check("c", "a check", 1, 1, 0, ok)
    number = records.Value("accuracy.gain", mean, 0.1, 3, "%")
    word = records.Value("device", "cpu", None, 1, "")
    body = records.Record("08_training", profile, {}, [check], [number, word])
    cell = new_code_cell("records.save()")
    data = {records.RECORD_MIME: records.asdict(body)}
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(new_notebook(cells=[cell]), path)
    return str(path)


@pytest.mark.parametrize(
    ("yours", "shown"), [(1.15, ["1.15", "1"]), (1.5, ["1.5", "1", "*"])]
)
def test_yours_stands_beside_the_books(build, tmp_path, capsys, yours, shown):
    book = records.read(finished(tmp_path / "book.ipynb"))
    records.write(build / "records" / "08_training.json", book)
    assert main(["compare", finished(tmp_path / "mine.ipynb", yours)]) == 0
    head, _, gain, device, *note = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "value"
    assert gain.split() == ["accuracy.gain", "%", *shown]
    assert device.split() == ["device", "cpu", "cpu"]
    far = ["* yours lies more than two standard deviations away"]
    assert note == (far if "*" in shown else [])


def test_comparison_without_a_book_and_without_values(tmp_path, capsys, monkeypatch):
    mine = finished(tmp_path / "mine.ipynb")
    assert main(["compare", mine]) == 0
    gain = capsys.readouterr().out.splitlines()[2]
    assert gain.split() == ["accuracy.gain", "%", "1", "–"]
    bare = records.Record("12_accuracy", "own", {}, [], [])
    monkeypatch.setattr(records, "read", lambda _: bare)
    assert main(["compare", mine]) == 0
    assert "12_accuracy keeps no single values: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is no notebook (FileNotFoundError)"),
        ("no json", "is no notebook"),
        ("[]", "is no notebook"),
        ('{"cells": []}', "holds no record"),
    ],
)
def test_command_says_what_is_wrong(tmp_path, capsys, content, words):
    path = tmp_path / "out.ipynb"
    if content is not None:
        path.write_text(content)
    assert main(["compare", str(path)]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
