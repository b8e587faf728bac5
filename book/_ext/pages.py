"""Makes a page from a chapter's source and its run; mends the finished HTML."""

import re
import sys
from pathlib import Path

import nbformat
from chapters import Chapter, has_tag

from fersep_book.records import RECORD_MIME

# What the theme writes, and what a screen reader needs instead.
MENDS = (
    (
        '<div id="pst-primary-sidebar" class=',
        '<div id="pst-primary-sidebar" role="region" aria-label="Contents" class=',
    ),
    (  # the name must be what the button shows
        'search-button__button pst-js-only" title="Search" aria-label="Search" data',
        'search-button__button pst-js-only" title="Search" data',
    ),
    # bibliographies and their entries claim roles that they do not fill
    (' role="doc-biblioentry"', ""),
    ('<div role="list" class="citation-list">', '<div class="citation-list">'),
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    *(
        (f' title="{mode}"></i>', "></i>")
        for mode in ("Light", "Dark", "System Settings")
    ),
)


def page(chapter: Chapter) -> nbformat.NotebookNode:
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
    for cell in cells:
        if cell.cell_type == "code":
            _for_readers(cell, chapter.root)
    return notebook


def _for_readers(cell: nbformat.NotebookNode, root: Path) -> None:
    """Take the record out of a cell's outputs; bring alt text where MyST reads it."""
    kept = []
    for output in cell.outputs:
        data = output.get("data", {})
        if data.pop(RECORD_MIME, None) is not None and not set(data) - {"text/plain"}:
            continue
        alt = output.get("metadata", {}).pop("image/png", {}).get("alt")
        if alt:
            image = cell.metadata.setdefault("mystnb", {}).setdefault("image", {})
            image["alt"] = alt
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


def mend(html: str) -> str:
    """Return a page with the theme's accessibility faults mended."""
    for fault, cure in MENDS:
        html = html.replace(fault, cure)
    # An empty corner of a table heads nothing.
    return re.sub(r'<th class="[^"]*head[^"]*"><p></p></th>', "<td></td>", html)
