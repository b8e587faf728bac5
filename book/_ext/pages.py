"""Makes pages and notebooks from the chapters' sources and their runs."""

import hashlib
import json
import re
import sys
from itertools import chain
from pathlib import Path

import nbformat
from chapters import BookError, Chapter, chapters, has_tag, numbered, read_yaml
from chapters import pages as named_pages
from nbformat import NotebookNode
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_markdown_cell

from fersep.storage import build_folder, whole_file
from fersep_book import editions
from fersep_book.records import CHECKS_MIME, RECORD_MIME, badge

#: What a folded cell is called, by the first of these tags that it has.
FOLDS = {
    "solution": "Solution",
    "derivation": "Derivation",
    "hide-input": "Code",
    "hide-output": "Output",
    "hide-cell": "Setup",
}
#: What a fold of setup may be tagged with.
SETUP = {"hide-cell", "parameters"}
#: Where a section begins: a heading of the second level, with its label if any.
SECTION = re.compile(r"(?m)^(?=\(\S+\)=\n+## )|(?<!\)=\n)^(?=## )")


def with_outputs(chapter: Chapter) -> NotebookNode:
    """Return the committed notebook with the outputs of its last good run.

    Prose and captions come from the source, so that mending a sentence asks for
    no new run. The cell papermill injected stands where it ran.
    """
    notebook = chapter.read()
    run = nbformat.read(chapter.executed, as_version=4)
    ran = {cell.id: cell for cell in run.cells if cell.cell_type == "code"}
    injected = [cell for cell in ran.values() if has_tag(cell, "injected-parameters")]
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            cell.outputs = ran[cell.id].outputs
            cell.execution_count = ran[cell.id].execution_count
        if has_tag(cell, "parameters"):
            cells += injected
    notebook.cells = cells
    tables = 0
    for cell in cells:
        if cell.cell_type == "code":
            _for_readers(cell, chapter.root)
            tables = _number_tables(cell, chapter, tables)
    return notebook


def _for_readers(cell: NotebookNode, root: Path) -> None:
    """Take the record out of a cell's outputs; bring alt text where MyST reads it."""
    kept = []
    for output in cell.outputs:
        data = output.get("data", {})
        if data.pop(RECORD_MIME, None) is not None and not set(data) - {"text/plain"}:
            continue
        alt = output.get("metadata", {}).pop("image/png", {}).get("alt")
        if alt:
            look = cell.metadata.setdefault("mystnb", {})
            look.setdefault("image", {})["alt"] = alt
        if "text" in output:
            if not output.text.strip():  # a progress bar that wiped itself out
                continue
            output.text = relative(output.text, root)
        for kind, content in data.items():
            if kind.startswith("text/") and isinstance(content, str):
                data[kind] = relative(content, root)
        kept.append(output)
    cell.outputs = kept


def relative(text: str, root: Path) -> str:
    """Replace this machine's folders in a text by `.`, `python` and `~`."""
    for place, name in {root: ".", sys.prefix: "python", Path.home(): "~"}.items():
        if len(str(place)) > 1:
            whole = rf"(?<!\w){re.escape(str(place))}(?=[/\s'\":)]|$)"
            text = re.sub(whole, name, text)
    return text


def _number_tables(cell: NotebookNode, chapter: Chapter, number: int) -> int:
    """Number the tables that a cell shows, and return the last number."""
    for output in cell.outputs:
        text = output.get("data", {}).get("text/html", "")
        if 'class="fersep-table' in text:
            number += 1
            name = f"Table {numbered(chapter.page, number)} "
            output.data["text/html"] = text.replace(
                "<figcaption>",
                f'<figcaption><span class="caption-number">{name}</span>',
                1,
            )
    return number


def page(chapter: Chapter) -> NotebookNode:
    """Return what Sphinx makes a page from: a run, folds named, checks gathered."""
    notebook = with_outputs(chapter)
    notebook.cells = _join_setup(_gather_checks(notebook.cells))
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        fold = next((name for tag, name in FOLDS.items() if has_tag(cell, tag)), "")
        if fold:
            look = cell.metadata.setdefault("mystnb", {})
            look["code_prompt_show"] = look["code_prompt_hide"] = fold
        cell.source = editions.without_calls(cell.source, "records.")
        if not cell.source:
            cell.metadata.setdefault("tags", []).append("remove-input")
    return notebook


def _join_setup(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Make one fold of cells of setup that follow one another."""
    kept: list[NotebookNode] = []
    for cell in cells:
        both = [*kept[-1:], cell]
        tags = [set(each.metadata.get("tags", [])) for each in both]
        if len(both) == 2 and all({"hide-cell"} <= t <= SETUP for t in tags):
            kept[-1].source += f"\n\n\n{cell.source}"
            kept[-1].outputs += cell.outputs
        else:
            kept.append(cell)
    return kept


def _gather_checks(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Show the checks of each section in one badge at its end."""
    kept: list[NotebookNode] = []
    passed: list[str] = []

    def close() -> None:
        if passed:
            kept.append(new_markdown_cell(badge(passed)))
            passed.clear()

    for cell in cells:
        if cell.cell_type == "code":
            shown = [out.get("data", {}).get(CHECKS_MIME) for out in cell.outputs]
            passed += [line for lines in shown for line in lines or []]
            pairs = zip(cell.outputs, shown, strict=True)
            cell.outputs = [out for out, lines in pairs if not lines]
            kept.append(cell)
            continue
        first, *sections = SECTION.split(cell.source)
        for piece in [first] * bool(first.strip()) + sections:
            if piece is not first:
                close()
            kept.append(new_markdown_cell(piece, metadata=cell.metadata))
    close()
    return kept


def write_notebooks(root: Path, folder: Path, *, students: bool = False) -> None:
    """Write the pages as notebooks and plain Markdown that need no Sphinx."""
    names = editions.Names(numbered)
    names.read_sources(root / "book" / "references.bib")
    texts = {path: path.read_text("utf-8") for path in (root / "book").glob("*.md")}
    for path, text in texts.items():
        names.read_page(path.name, [new_markdown_cell(text)])
    found = chapters(root)
    for chapter in found:
        names.read_page(chapter.source.name, chapter.read().cells)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        (folder / path.name).write_text(editions.plain(text, names, {}), "utf-8")
    for chapter in found:
        if students and "." not in numbered(chapter.page, 1):  # for teachers
            continue
        notebook = with_outputs(chapter)
        for cell in notebook.cells:
            if students and has_tag(cell, "solution"):
                cell.outputs = []  # sentences do not tell what it finds
        notebook = editions.for_lab(notebook, chapter.source.name, names)
        checkers: dict[str, str] = {}
        if students:
            notebook, checkers = editions.for_students(notebook)
            (folder / "checkers").mkdir(exist_ok=True)
        for name, code in checkers.items():
            (folder / name).write_text(code, "utf-8")
        nbformat.write(notebook, folder / chapter.source.name)
        # Or JupyterLab shows no SVG before the cells have run here.
        NotebookNotary().sign(notebook)


def mark_site(sources: dict[str, str]) -> None:
    """Keep what the finished pages were made from; nothing while they are made."""
    with whole_file(build_folder() / "site.json") as part:
        part.write_text(json.dumps(sources), "utf-8")


def is_finished(root: Path) -> bool:
    """Tell whether all pages are there and made from what is there now."""
    made, html = json.dumps(site_sources(root)), build_folder() / "html"
    names = [*named_pages(read_yaml(root, "_toc.yml")), "index"]
    there = all((html / f"{name}.html").is_file() for name in names)
    mark = build_folder() / "site.json"
    return there and mark.is_file() and mark.read_text("utf-8") == made


def site_sources(root: Path) -> dict[str, str]:
    """Return the hash of everything the pages are made from, by name."""
    folders = (root / "book").rglob("*"), (root / "fersep").rglob("*"), root.iterdir()
    runs = {chapter.executed: f"run of {chapter.page}" for chapter in chapters(root)}
    names = runs | {path: str(path.relative_to(root)) for path in chain(*folders)}
    sources = {}
    for path, name in names.items():
        # Caches of Python, Jupyter and ruff are no part of the site.
        if not path.is_file() or re.search(r"(^|/)(\.|__pycache__)", name):
            continue
        before, conflict, rest = (text := path.read_bytes()).partition(b"\n<<<<<<< ")
        if conflict and b"\n>>>>>>> " in rest:
            line = before.count(b"\n") + 2
            raise BookError(f"{name}, line {line}: a conflict of git is not resolved.")
        sources[name] = hashlib.sha256(text).hexdigest()
    return sources
