"""Planted faults: the gate that guards the real book must stop each of them.

The miniature book uses the real configuration and extension, is built by the
same command, and is looked at by the same checker as the real book.
"""

import base64
import re
import shutil
import socket
from pathlib import Path

import pytest
from miniature import Miniature, miniature
from site_checks import ROOT, browser_faults, file_faults, pages

pytestmark = pytest.mark.site

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)

# One page for each fault that only a reader's browser would show.
FAULTS = {
    "alt": "![](pixel.png)",
    "link": '<a href="nowhere.html">the next page</a>',
    "anchor": '<a href="index.html#nowhere">the middle of the page</a>',
    "latex": r"$\unheardof{x}$",
    "silent": "<mjx-container>x</mjx-container>",
    "brace": "$$\n\\frac{1}{2\n$$",
    "narrow": '<div style="width: 60rem">wide</div>',
    "external": '<script src="https://example.com/chart.js"></script>',
    "console": "<script>noSuchFunction()</script>",
    "axe": '<input type="text">',
    "live": '<figure class="fersep-live" data-figure="none"></figure>',
    "private": f"The data are in {ROOT}/data.",
    "traceback": "```text\nTraceback (most recent call last):\n```",
}
KIND = {"anchor": "link", "brace": "latex"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Miniature:
    book = miniature(tmp_path_factory.mktemp("gate"))
    done = book.build()
    assert done.returncode == 0, done.stderr
    return book


@pytest.fixture
def book(clean, tmp_path) -> Miniature:
    shutil.copytree(clean.root, tmp_path / "book")
    return Miniature(tmp_path / "book")


@pytest.fixture(scope="module")
def faulty(clean, tmp_path_factory) -> Path:
    """Build the miniature book with one planted fault on each of many pages."""
    root = tmp_path_factory.mktemp("faulty") / "book"
    shutil.copytree(clean.root, root)
    book = Miniature(root)
    book.path("book", "pixel.png").write_bytes(PIXEL)
    toc = book.path("_toc.yml").read_text()
    for name, fault in FAULTS.items():
        page = f"# A fault of the kind {name}\n\n{fault}\n"
        book.path("book", f"fault_{name}.md").write_text(page)
        toc += f"  - file: book/fault_{name}\n"
    book.path("_toc.yml").write_text(toc)
    # A picture that a cell shows without a text.
    book.replace(
        "book/01_first.ipynb",
        ', metadata={\\"alt\\": f\\"A line up to {steps}.\\"}',
        "",
    )
    done = book.build()
    assert done.returncode == 0, done.stderr
    return book.path("_build", "html")


def kinds(faults: list[str]) -> set[str]:
    return {fault.split(":")[0] for fault in faults}


def test_clean_book_has_no_faults(clean, browser):
    html = clean.path("_build", "html")
    names = pages(html)
    assert len(names) == 6
    for name in names:
        faults = file_faults(html, name) + browser_faults(browser, html, name)
        assert faults == [], name


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_on_a_page_is_found(faulty, browser, fault):
    page = f"book/fault_{fault}.html"
    found = kinds(file_faults(faulty, page) + browser_faults(browser, faulty, page))
    assert KIND.get(fault, fault) in found


def test_picture_of_a_cell_without_text_is_found(faulty):
    assert kinds(file_faults(faulty, "book/01_first.html")) == {"alt"}


@pytest.fixture
def html(clean, tmp_path) -> Path:
    """Copy the finished pages, so that a test may change them."""
    return shutil.copytree(clean.path("_build", "html"), tmp_path / "html")


def test_fault_in_the_dark_is_found(html, browser):
    style = html / "_static" / "fersep.css"
    pale = '\nhtml[data-theme="dark"] article p { color: #333 !important; }\n'
    style.write_text(style.read_text() + pale)
    faults = browser_faults(browser, html, "book/01_first.html")
    assert faults
    assert all("color-contrast (dark)" in fault for fault in faults)


@pytest.mark.parametrize(
    ("kind", "added"),
    [
        ("size", f"<p>{'x' * 3_000_000}</p>"),
        ("warning", '<div class="output stderr">UserWarning: old name</div>'),
        ("link", '<img src="none.png" alt="A picture that is not there.">'),
        ("private", "<p>annas-laptop-7</p>"),
    ],
)
def test_fault_in_a_file_is_found(html, monkeypatch, kind, added):
    monkeypatch.setattr(socket, "gethostname", lambda: "annas-laptop-7")
    page = html / "book" / "02_second.html"
    assert file_faults(html, "book/02_second.html") == []
    page.write_text(page.read_text("utf-8").replace("</article>", added + "</article>"))
    assert kinds(file_faults(html, "book/02_second.html")) == {kind}


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "book/index.md",
            "{ref}`the first chapter <chapter-first>`",
            "{ref}`none`",
            "none",
        ),
        ("book/index.md", "Start with", "[here](nowhere.md) with", "nowhere.md"),
        ("book/index.md", "Start with", "See {eq}`eq-77` and", "eq-77"),
        ("book/index.md", "Start with", "See {glue:text}`total` and", "total"),
        ("book/index.md", "Start with", "See {numref}`fig-none` and", "fig-none"),
        ("book/index.md", "Start with", "![A cat that sleeps](cat.png)", "cat.png"),
        ("book/index.md", "Start with", "{cite}`nobody2020` and", "nobody2020"),
    ],
    ids=["label", "file", "equation", "glue", "figure", "picture", "citation"],
)
def test_broken_reference_stops_the_build(book, name, old, new, words):
    book.replace(name, old, new)
    done = book.build()
    assert done.returncode == 1
    assert re.search(rf"WARNING.*{words}", done.stderr)


def test_equations_keep_the_numbers_of_the_paper(clean):
    page = clean.page("02_second")
    numbers = re.findall(r'<span class="eqno">(.*?)<a', page)
    assert numbers == ["(4)", "(2.1)"]
    links = re.findall(r'href="#equation-eq-\w+">(\(.*?\))</a>', page)
    assert links == numbers
    assert "tag{" not in page


def test_raising_cell_stops_the_build(book):
    page = book.path("_build", "html", "book", "02_second.html")
    before = page.read_bytes()
    book.replace("book/02_second.ipynb", "total = size + 1", "total = size / 0")
    done = book.build()
    assert done.returncode == 1
    assert "02_second failed: ZeroDivisionError in cell 4" in done.stderr
    assert "Traceback" not in done.stderr
    assert page.read_bytes() == before


def test_stale_run_never_reaches_a_page(book):
    book.replace("book/fersep_book/step.py", "return 1", "return 5")
    assert book.build().returncode == 0
    assert re.search(r"It has (<[^>]*>)?8(<[^>]*>)? steps", book.page("01_first"))
