"""Sphinx extension: papermill runs the chapters, MyST-NB gets the executed copies.

When a build starts, stale chapters run; when a page is read, its source is
replaced by the same notebook with the outputs of its last good run. So plain
`jupyter-book build .` makes the whole book. The environment variable
FERSEP_PROFILE chooses the profile (smoke, cpu, gpu).
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
from chapters import BookError, Chapter, chapters, numbered
from docutils import nodes
from pages import mark_site, page, site_sources, write_notebooks
from runner import hold_build, run_stale
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from fersep.storage import build_folder
from fersep_book.site import mend_site


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the runner to a Sphinx build."""
    app.add_config_value("chapters_reading_records", [], "env")
    app.connect("builder-inited", _run)
    app.connect("env-get-outdated", _all_pages)
    app.connect("source-read", _hand_over)
    app.connect("doctree-read", _number_equations)
    # Sphinx counts the figures at 500.
    app.connect("env-get-updated", _number_figures, priority=900)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def _run(app: Sphinx) -> None:
    """Run stale chapters, unless `make` has; keep other builds off until the end."""
    if os.environ.get("FERSEP_CHAPTERS") == "fresh":
        return
    try:
        held = hold_build()
        app.connect("build-finished", lambda *_: held.__exit__(None, None, None))
        run_stale(Path(app.srcdir))
    except BookError as error:
        # Any other exception would be wrapped in Jupyter Book's own traceback.
        raise SystemExit(str(error)) from None


def _chapters(app: Sphinx) -> dict[str, Chapter]:
    return {chapter.page: chapter for chapter in chapters(Path(app.srcdir))}


def _all_pages(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
    """Make every page: time stamps may lie, and pages show titles of others."""
    if app.builder.name == "html":
        now = site_sources(Path(app.srcdir))
        mark_site({})
        app.connect("build-finished", lambda _, error: mark_site({} if error else now))
    return sorted(env.found_docs)


def _hand_over(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace a chapter's source by the notebook with its outputs."""
    chapter = _chapters(app).get(docname)
    if chapter:
        source[0] = nbformat.writes(page(chapter))


def _number_equations(app: Sphinx, doctree: nodes.document) -> None:
    r"""Number the equations of a page, in the formulas and in links to them.

    An equation of the paper keeps the paper's number, written as `\tag{N}`; one
    of our own in chapter 6 is 6.1, 6.2 and so on, so that the two never meet.
    """
    numbers = app.env.get_domain("math").data["objects"]
    own = 0
    for node in doctree.findall(nodes.math_block):
        if not node.get("label"):
            continue
        formula = node.astext()
        tag = re.search(r"\s*\\tag\{(.*?)\}", formula)
        if tag:
            node.children = [nodes.Text(formula.replace(tag.group(), ""))]
        if tag and tag.group(1).isdigit():
            node["number"] = tag.group(1)
        else:
            own += 1
            node["number"] = numbered(app.env.docname, own)
        numbers[node["label"]] = (app.env.docname, node["number"])


def _number_figures(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number figures and tables by chapter, in the order of a page."""
    for name, kinds in env.toc_fignumbers.items():
        for places in kinds.values():
            for n, place in enumerate(places, 1):
                places[place] = (numbered(name, n),)  # type: ignore[assignment]
    return []


def _finish(app: Sphinx, error: Exception | None) -> None:
    """Mend what the theme writes; write the chapters as notebooks to work in."""
    if error is None and app.builder.format == "html":
        for path in (Path(app.outdir) / "book").glob("*.html"):
            if f"book/{path.stem}" not in app.env.found_docs:
                path.unlink()
        mend_site(Path(app.outdir))
        # What the download button gives, and what `make lab` opens
        folder = build_folder() / "notebooks"
        write_notebooks(Path(app.srcdir), folder)
        for path in folder.glob("*.ipynb"):
            shutil.copy(path, Path(app.outdir) / "_sources" / "book" / path.name)
