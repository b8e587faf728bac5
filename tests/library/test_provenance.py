"""Which code made a result: the hash follows the imports and sees what counts."""

import shutil
from pathlib import Path

import pytest
from test_training import TINY, squares

import fersep
from fersep import provenance, training

SOURCE = "def f(x):\n    return x + 1\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make a package of a name that is used once; give its folder."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"package_{tmp_path.name}"
    (folder / "low").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "top.py": SOURCE,
        "low/__init__.py": "",
        "low/one.py": "",
        "aside.py": "",
        "numbers.json": "[1]",
        "facts.toml": "a = 1",
    }.items():
        (folder / name).write_text(text)
    return folder


def key(package: Path, text: str) -> str:
    (package / "top.py").write_text(text)
    return provenance.code_key(f"{package.name}.top")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("# why\n" + SOURCE, False),
        ('"""What."""\n\n' + SOURCE, False),
        ('def f(x):\n    """Add one."""\n    return (x +\n        1)  # one\n', False),
        (SOURCE.replace("1", "2"), True),
        (SOURCE.replace("1", "1.0"), True),
        (SOURCE.replace("f(", "g("), True),
        (SOURCE + "f(1)\n", True),
        ('def f(x):\n    x = "Add one."\n    return x + 1\n', True),
    ],
)
def test_only_what_can_change_a_number_counts(package, text, counts):
    assert (key(package, text) != key(package, SOURCE)) == counts


@pytest.mark.parametrize(
    ("code", "reached"),
    [
        ("import PACKAGE.low.one", {"low/__init__.py", "low/one.py"}),
        ("from PACKAGE import low as l", {"low/__init__.py"}),
        ("from PACKAGE.low.one import f", {"low/__init__.py", "low/one.py"}),
        ("def late():\n    from PACKAGE import aside", {"aside.py"}),
        ("FILE = 'numbers.json'", {"numbers.json"}),
        ("FILE = 'facts.toml'", {"facts.toml"}),
        ("import torch, packages\nfrom os import path", set()),
        ("if TYPE_CHECKING:\n    from PACKAGE import aside", set()),
    ],
)
def test_every_way_to_import_is_followed(package, code, reached):
    (package / "top.py").write_text(code.replace("PACKAGE", package.name))
    found = provenance.reached_files([f"{package.name}.top"])
    names = {path.relative_to(package).as_posix() for path in found}
    assert names == {"__init__.py", "top.py", *reached}


def test_modules_named_in_words_are_imports():
    code = "import importlib\nimportlib.import_module('fersep.equations')"
    assert provenance.imported_names(code) == ["importlib", "fersep.equations"]


def test_the_key_of_a_run_follows_the_imports(tmp_path, monkeypatch):
    copy = shutil.copytree(Path(fersep.__file__).parent, tmp_path / "fersep")
    monkeypatch.setattr(provenance, "_root", lambda package: copy)

    def changes(name: str, more: str) -> bool:
        before = training.run_key(squares(), squares(), TINY)
        with (copy / name).open("a", encoding="utf-8") as file:
            file.write(more)
        return training.run_key(squares(), squares(), TINY) != before

    for name in ("analysis.py", "training/processes.py", "models.py"):
        assert not changes(name, "\n# in other words\n")
        assert changes(name, "\nCHANGED = True\n")
    for name in ("embedding.py", "training/command.py", "data/__init__.py"):
        assert not changes(name, "\nCHANGED = True\n")


def test_a_result_says_what_made_it(monkeypatch):
    monkeypatch.setenv("FERSEP_REVISION", "abc")
    provenance._revision.cache_clear()
    found = provenance.provenance()
    provenance._revision.cache_clear()
    assert (found["revision"], found["device"]) == ("abc", "cpu")
    assert set(found["versions"]) >= {"python", "torch", "numpy"}
