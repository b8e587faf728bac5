"""The book as PDF and as EPUB, made from the pages of the miniature book."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fersep_book import paper
from pypdf import PdfReader

pytestmark = pytest.mark.skipif(not paper.browser_path(), reason="there is no Chromium")
CHAPTERS = "1 · First", "2 · Second"


@pytest.fixture
def write(clean):
    """Write the miniature book as one file, and return where it lies."""
    made = []

    def run(kind):
        site = clean.path("_build", "html")
        order = f"print(paper.write_{kind}(Path({str(site)!r})))"
        order = f"from pathlib import Path; from fersep_book import paper; {order}"
        done = clean.run("python", "-c", order)  # one browser in a process
        assert done.returncode == 0, done.stderr
        made.append(Path(done.stdout.strip()))
        return made[0]

    yield run
    for file in made:
        file.unlink()


def test_the_contents_of_the_pdf_say_where_each_chapter_begins(write):
    book = PdfReader(write("pdf"))
    texts = [page.extract_text() for page in book.pages]
    contents = next(text for text in texts if "Contents" in text.splitlines())
    for title in CHAPTERS:
        place = int(re.search(rf"{title}\s*(\d+)", contents)[1])
        assert title in texts[place - 1].splitlines()
        assert str(place) in texts[place - 1].splitlines()
        marks = {m.title: m for m in book.outline if not isinstance(m, list)}
        assert book.get_destination_page_number(marks[title]) == place - 1


def test_the_epub_holds_every_page_and_no_dead_link(write):
    with zipfile.ZipFile(write("epub")) as book:
        assert book.namelist()[0] == "mimetype"
        names = [n for n in book.namelist() if n.endswith(".xhtml")]
        trees = {n: ElementTree.fromstring(book.read(n)) for n in names}
    pages = {n.rpartition("/")[2]: tree for n, tree in trees.items()}
    assert {"index.xhtml", "01_first.xhtml", "02_second.xhtml"} < set(pages)
    places = {
        f"{n}#{e.get('id')}" for n, t in pages.items() for e in t.iter() if e.get("id")
    }
    for name, tree in pages.items():
        for link in tree.iter("{http://www.w3.org/1999/xhtml}a"):
            target = link.get("href")
            if target and "://" not in target:
                assert target in places | set(pages), f"{name}: {target}"
    formulas = pages["02_second.xhtml"].iter("{http://www.w3.org/1998/Math/MathML}math")
    assert len(list(formulas)) >= 2
