"""The built book in a real browser, opened from disk with the network cut."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chapters import pages as toc_pages
from site_checks import browser_faults, file_faults, pages

from fersep.storage import build_folder

pytestmark = pytest.mark.site

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [f"{page}.html" for page in toc_pages(TOC)] + ["genindex.html", "search.html"]
EACH_PAGE = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(scope="session")
def site() -> Path:
    """Build the whole site once; every warning is an error."""
    build = build_folder()
    built = subprocess.run(
        [
            Path(sys.executable).with_name("jupyter-book"),
            *["build", "-q", "-W", "-n", "--keep-going", "--all", "."],
            *["--path-output", build.parent],
        ],
        cwd=ROOT,
        env={**os.environ, "FERSEP_PROFILE": "smoke"},
        capture_output=True,
        text=True,
    )
    if built.returncode:
        pytest.fail(f"the site does not build:\n{built.stderr}", pytrace=False)
    return build / "html"


def test_every_page_is_looked_at(site):
    assert set(pages(site)) == set(PAGES)


def test_first_file_leads_to_the_first_page(site):
    assert 'url=book/index.html"' in (site / "index.html").read_text("utf-8")


@EACH_PAGE
def test_file(site, page):
    assert file_faults(site, page) == []


@pytest.mark.parametrize("page", PAGES[:-2])
def test_head_says_what_the_page_is_about(site, page):
    head = (site / page).read_text("utf-8").partition("</head>")[0]
    assert re.search(r'<meta name="description" content="[^"]{30,}"', head)
    assert (site / "_static" / "social.png").is_file()


@EACH_PAGE
def test_in_the_browser(site, browser, page):
    assert browser_faults(browser, site, page) == []


def test_book_is_small(site):
    files = (path for path in site.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) <= 45_000_000


def test_the_reader_can_search(site, browser):
    view = browser.new_page()
    view.goto((site / "search.html").as_uri() + "?q=cosine")
    view.wait_for_selector("#search-results ul.search li a")
