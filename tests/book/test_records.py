"""Records: what a chapter keeps, in a real kernel, and what a reader gets to see."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from fersep_book import records
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from fersep import storage
from fersep.cli import main

PACKAGE = Path(records.__file__).parent


@pytest.fixture
def shown(monkeypatch):
    """Collect what a chapter displays: pairs of data and metadata."""
    outputs = []
    monkeypatch.setattr(
        records, "_display", lambda data, meta: outputs.append((data, meta))
    )
    return outputs


def begin(**parameters):
    kinds = {name: type(value).__name__ for name, value in parameters.items()}
    records.start("99_test", {**parameters, "__annotations__": kinds})


def saved(shown) -> dict:
    records.save()
    return shown[-1][0][records.RECORD_MIME]


# start


def test_parameters_are_kept(shown):
    begin(seed=3, lam=0.5, data="folder", gpu=True)
    assert saved(shown)["parameters"] == {
        "seed": 3,
        "lam": 0.5,
        "data": "folder",
        "gpu": True,
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [("0.5", "float"), (1.5, "int"), (True, "int"), (1, "bool"), (7, "str")],
)
def test_wrong_type_is_one_sentence(value, kind):
    with pytest.raises(TypeError) as caught:
        records.start("99_test", {"lam": value, "__annotations__": {"lam": kind}})
    message = str(caught.value)
    assert message.startswith(f"parameter lam must be of type {kind}, got {value!r}")
    assert "-p lam" in message


def test_whole_number_is_a_float():
    records.start("99_test", {"lam": 1, "__annotations__": {"lam": float}})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_parameter_must_be_finite(value):
    with pytest.raises(ValueError, match="parameter lam must be a finite number"):
        records.start("99_test", {"lam": value, "__annotations__": {"lam": "float"}})


def test_late_annotations_of_newer_pythons(shown):
    namespace = {"seed": 5, "__annotate__": lambda form: {"seed": int}}
    records.start("99_test", namespace)
    assert saved(shown)["parameters"] == {"seed": 5}


def test_refused_start_leaves_no_record():
    begin(seed=1)
    with pytest.raises(TypeError):
        records.start("99_test", {"seed": "x", "__annotations__": {"seed": int}})
    with pytest.raises(RuntimeError, match="records.start"):
        records.value("a", 1.0)


def test_start_forgets_the_record_before(shown):
    begin()
    records.value("a", 1.0)
    begin()
    assert saved(shown)["values"] == []


# check


def test_check_within_tolerance(shown, capsys):
    begin()
    records.check("a", "one is nearly one", 1.0 + 1e-9, 1.0, tol=1e-8)
    assert capsys.readouterr().out == (
        "✓ one is nearly one: 1, expected 1 (within 1e-08)\n"
    )
    assert saved(shown)["checks"] == [
        {
            "id": "a",
            "statement": "one is nearly one",
            "got": 1.0 + 1e-9,
            "want": 1.0,
            "tol": 1e-8,
            "ok": True,
        }
    ]


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
    torch = pytest.importorskip("torch")
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


def test_value_is_kept_with_its_spread(shown):
    begin()
    records.value("a", 1.5, 0.25, 4, "%")
    assert saved(shown)["values"] == [
        {"key": "a", "mean": 1.5, "spread": 0.25, "n": 4, "unit": "%"}
    ]


@pytest.mark.parametrize("mean", [math.nan, math.inf])
def test_value_must_be_finite(shown, mean):
    begin()
    with pytest.raises(ValueError, match="value 'a' must be a finite number"):
        records.value("a", mean)
    with pytest.raises(ValueError, match="value 'a' must be a finite number"):
        records.value("a", 1.0, mean)


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


def test_record_has_the_form_of_the_design(shown, monkeypatch):
    monkeypatch.setenv("FERSEP_PROFILE", "cpu")
    monkeypatch.setenv("FERSEP_REVISION", "abc")
    records._revision.cache_clear()
    begin()
    records.save(data_fingerprint="f00")
    body = shown[-1][0][records.RECORD_MIME]
    assert list(body) == [
        "schema",
        "chapter",
        "profile",
        "parameters",
        "checks",
        "values",
        "provenance",
    ]
    origin = body["provenance"]
    assert body["profile"] == "cpu"
    assert origin["revision"] == "abc"
    assert origin["device"] == "cpu"
    assert origin["data_fingerprint"] == "f00"
    assert origin["seconds"] >= 0
    assert set(origin["versions"]) >= {"python", "torch", "numpy"}
    records._revision.cache_clear()


# build_dir


def test_build_dir_lies_beside_the_table_of_contents(tmp_path, monkeypatch):
    monkeypatch.delenv("FERSEP_BUILD", raising=False)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert storage.build_folder() == tmp_path / "a" / "b" / "_build"
    (tmp_path / "_toc.yml").touch()
    assert storage.build_folder() == tmp_path / "_build"
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "elsewhere"))
    assert storage.build_folder() == tmp_path / "elsewhere"


# syntax_hash and reached_modules


SOURCE = "def f(x):\n    return x + 1\n"


def hash_of(folder: Path, text: str) -> str:
    path = folder / "module.py"
    path.write_text(text)
    return records.syntax_hash([path])


@pytest.mark.parametrize(
    "text",
    [
        "# why\n" + SOURCE,
        '"""What."""\n\n' + SOURCE,
        'def f(x):\n    """Add one."""\n    return (x +\n            1)  # one\n',
    ],
)
def test_hash_ignores_what_cannot_change_a_number(tmp_path, text):
    assert hash_of(tmp_path, text) == hash_of(tmp_path, SOURCE)


@pytest.mark.parametrize(
    "text",
    [
        SOURCE.replace("1", "2"),
        SOURCE.replace("1", "1.0"),
        SOURCE.replace("+", "-"),
        SOURCE.replace("f(", "g("),
        SOURCE + "f(1)\n",
        'def f(x):\n    x = "Add one."\n    return x + 1\n',
    ],
)
def test_hash_sees_every_change_of_code(tmp_path, text):
    assert hash_of(tmp_path, text) != hash_of(tmp_path, SOURCE)


def test_hash_depends_on_no_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert hash_of(tmp_path / "a", SOURCE) == hash_of(tmp_path / "b", SOURCE)


def test_data_files_count_with_every_byte(tmp_path):
    path = tmp_path / "published.json"
    path.write_text("[1]")
    before = records.syntax_hash([path])
    path.write_text("[ 1]")
    assert records.syntax_hash([path]) != before


def names(source: str) -> set[str]:
    return {
        path.relative_to(PACKAGE).as_posix() for path in records.reached_modules(source)
    }


@pytest.mark.parametrize(
    "source",
    [
        "import fersep.equations",
        "import fersep.equations as eq",
        "from fersep import equations",
        "from fersep.equations import similarity",
        "def late():\n    from fersep import equations",
        "import importlib\nimportlib.import_module('fersep.equations')",
    ],
)
def test_every_way_to_import_is_seen(source):
    assert {"__init__.py", "equations.py"} <= names(source)


def test_imports_are_followed():
    assert "equations.py" in names("from fersep.losses import SeparateLoss")
    reached = names("from fersep import training")
    assert {"losses.py", "models.py", "equations.py", "records.py"} <= reached
    assert "published.json" in reached
    assert "figures.py" not in names("from fersep import equations")


def test_relative_imports_are_followed(tmp_path, monkeypatch):
    package = tmp_path / "fersep"
    (package / "data").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "top.py": "from .data import one",
        "data/__init__.py": "",
        "data/one.py": "from . import two\nfrom .. import low",
        "data/two.py": "",
        "low.py": "",
        "aside.py": "",
    }.items():
        (package / name).write_text(text)
    monkeypatch.setattr(records, "__file__", str(package / "records.py"))
    reached = records.reached_modules("from fersep import top")
    assert {path.relative_to(package).as_posix() for path in reached} == {
        "__init__.py",
        "top.py",
        "data/__init__.py",
        "data/one.py",
        "data/two.py",
        "low.py",
    }


def test_code_of_others_is_not_reached():
    assert names("import torch, fersepia\nfrom os import path") == set()


def test_import_is_light():
    code = (
        "import sys, fersep, fersep.records\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'IPython', 'scipy'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# In a real kernel, through papermill.


def notebook(folder: Path, *code: str) -> Path:
    cells = [
        new_code_cell(
            "size: int = 3  # how many\nroot: str = ''  # where",
            metadata={"tags": ["parameters"]},
        ),
        new_code_cell("from fersep import records\nrecords.start('07_toy', globals())"),
        *map(new_code_cell, code),
        new_code_cell("records.save()"),
    ]
    path = folder / "07_toy.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def run(source: Path, **parameters) -> Path:
    target = source.with_name("out.ipynb")
    papermill.execute_notebook(
        str(source),
        str(target),
        parameters=parameters,
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )
    return target


@pytest.fixture
def quiet_kernel(monkeypatch, tmp_path):
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "_build"))


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_record_travels_inside_the_notebook(tmp_path, quiet_kernel):
    source = notebook(
        tmp_path,
        "records.check('a', 'size', size, 5)",
        "records.value('accuracy.gain', 1.5, 0.5, 4, 'points')",
    )
    body = records.read(run(source, size=5, root="/somewhere/faces"))
    assert body["chapter"] == "07_toy"
    assert body["profile"] == "own"
    assert body["parameters"] == {"size": 5, "root": "faces"}
    assert body["checks"][0]["ok"] is True
    assert body["values"][0]["mean"] == 1.5


def test_failed_check_stops_the_chapter_and_is_recorded(tmp_path, quiet_kernel):
    source = notebook(tmp_path, "records.check('a', 'size is five', size, 5)")
    with pytest.raises(PapermillExecutionError, match="size is five: got 3, want 5"):
        run(source)
    body = records.read(source.with_name("out.ipynb"))
    assert [entry["ok"] for entry in body["checks"]] == [False]


def test_ill_typed_parameter_stops_at_the_start(tmp_path, quiet_kernel):
    with pytest.raises(PapermillExecutionError, match="parameter size must be of type"):
        run(notebook(tmp_path), size="abc")


# The comparison.


def finished(folder: Path, mean: float) -> Path:
    body = {
        "chapter": "08_training",
        "values": [
            {"key": "accuracy.gain", "mean": mean, "spread": 0.1, "n": 3, "unit": "%"},
            {"key": "device", "mean": "cpu", "spread": None, "n": 1, "unit": ""},
        ],
    }
    cell = new_code_cell("records.save()")
    cell.outputs = [nbformat.v4.new_output("display_data", {records.RECORD_MIME: body})]
    path = folder / f"run{mean}.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    kept = folder / "_build" / "records" / "08_training.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True)
        kept.write_text(json.dumps(body))
    return path


@pytest.fixture
def readers_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "_build"))
    finished(tmp_path, 1.0)
    return tmp_path


def test_compare_sets_yours_beside_the_books(readers_folder):
    near, words = records.compare(finished(readers_folder, 1.15))
    assert (near["yours"], near["book"], near["inside"]) == (1.15, 1.0, True)
    assert (words["yours"], words["inside"]) == ("cpu", None)
    far, _ = records.compare(finished(readers_folder, 1.5))
    assert far["inside"] is False


def test_compare_without_a_book(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "none"))
    (entry, _) = records.compare(finished(tmp_path, 1.0))
    assert (entry["book"], entry["inside"]) == (None, None)


def test_command_shows_three_columns(readers_folder, capsys):
    assert main(["compare", str(finished(readers_folder, 1.5))]) == 0
    head, _, gain, device, note = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "value"
    assert gain.split() == ["accuracy.gain", "%", "1.5", "1", "*", "0.72%"]
    assert device.split() == ["device", "cpu", "cpu", "–"]
    assert note == "* yours lies more than two standard deviations away"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
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


def executed(folder, name, profile, ok=True):
    body = {"chapter": name, "profile": profile, "checks": [{"id": "c", "ok": ok}]}
    cell = new_code_cell("records.save()")
    cell.outputs = [nbformat.v4.new_output("display_data", {records.RECORD_MIME: body})]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_command_keeps_recorded_runs(tmp_path, capsys):
    kept = tmp_path / "results" / "cpu" / "mine.json"
    first, second = (executed(tmp_path, name, "own") for name in ("one", "two"))
    assert main(["record", str(kept), str(first), str(second)]) == 0
    assert [r["chapter"] for r in json.loads(kept.read_text())] == ["one", "two"]
    before = kept.read_text()
    quick = executed(tmp_path, "quick", "smoke")
    assert main(["record", str(kept), str(first), str(quick)]) == 1
    assert "is a smoke run" in capsys.readouterr().err
    broken = executed(tmp_path, "broken", "own", ok=False)
    assert main(["record", str(kept), str(broken)]) == 1
    assert "has failed checks: c" in capsys.readouterr().err
    assert kept.read_text() == before
    assert [p.name for p in kept.parent.iterdir()] == ["mine.json"]
