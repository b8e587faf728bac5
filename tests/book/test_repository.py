"""What every file of the project must be, asked without running a chapter."""

import ast
import re
import subprocess
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from chapters import PROFILES, chapters, has_tag, pages, profile
from fersep_book.records import fits
from site_checks import private_words

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
EACH_NOTEBOOK = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS]
)
# Spelled apart so that this file does not name them.
REGISTRIES = ["pypi" + ".org", "python" + "hosted", "conda" + ".io", "npm" + "js"]


def tracked() -> list[Path]:
    order = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in names.stdout.splitlines()]
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@EACH_NOTEBOOK
def test_notebook_is_a_clean_source(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in code_cells(path):
        assert not cell.outputs
        assert cell.execution_count is None
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@EACH_NOTEBOOK
def test_parameters_are_annotated_literals_with_a_word_of_help(path):
    (cell,) = [cell for cell in code_cells(path) if has_tag(cell, "parameters")]
    found = papermill.inspect_notebook(path).values()
    assert len(found) == len(cell.source.splitlines())
    for parameter in found:
        default = ast.literal_eval(parameter["default"])
        assert fits(default, parameter["inferred_type_name"]), parameter
        assert parameter["help"], parameter


@EACH_NOTEBOOK
def test_no_name_hides_an_import(path):
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    nodes = list(ast.walk(tree))
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    stored = {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert not imported & stored


@EACH_NOTEBOOK
def test_code_fits_the_page(path):
    for cell in code_cells(path):
        for line in cell.source.splitlines():
            assert len(line) <= 76, line


@pytest.mark.parametrize("name", PROFILES)
def test_profile_names_only_parameters_that_exist(name):
    assert isinstance(profile(ROOT, name), dict)


def test_table_of_contents_holds_every_page():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    listed = {Path(page).name for page in pages(toc)}
    sources = [*NOTEBOOKS, *(ROOT / "book").glob("*.md")]
    assert listed == {path.stem for path in sources}
    assert {chapter.source for chapter in chapters(ROOT)} == set(NOTEBOOKS)


def test_no_file_names_a_registry_or_this_machine():
    naming = []
    for path in tracked():
        text = text_of(path)
        words = [*private_words(text), *(host for host in REGISTRIES if host in text)]
        naming += [f"{path.relative_to(ROOT)}: {word}" for word in words]
    assert not naming


def test_lock_is_in_step_with_the_pins():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==([\w.+-]+)", lock, re.M))
    locked = {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in locked.items()}
    pins = (ROOT / "requirements.txt").read_text("utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([\w.+-]+)", pins, re.M):
        assert locked.get(re.sub(r"[-_.]+", "-", name).lower()) == version, name


def test_every_locked_package_has_a_hash():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    for entry in re.split(r"\n(?=[\w.-]+==)", lock):
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
