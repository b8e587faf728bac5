"""The book on paper and as an e-book: made by Chromium from the finished pages.

python -m fersep_book pdf
python -m fersep_book epub
"""

import html
import json
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader

from fersep.storage import build_folder, whole_file
from fersep_book import ROOT
from fersep_book.site import NAME, offer_downloads

# Each chapter is a named page of CSS: its title stands at the head of its pages.
PAGES = """
@page { size: A4; margin: 24mm 20mm 22mm;
  @bottom-center { content: counter(page); font: 9pt "Source Sans 3"; } }
@page :first { @bottom-center { content: none; } }
.sheet { break-before: page; }
.bd-article { padding: 0; }
#front { padding-top: 60mm; text-align: center; }
#contents ul { padding: 0; list-style: none; }
#contents li { display: flex; justify-content: space-between; gap: 1em; }
body { background: none; }
"""

# The contents, once it is known where each chapter begins.
NUMBER = """(begins) => {
  for (const place of document.querySelectorAll("#contents .page"))
    place.textContent = begins[place.dataset.of];
}"""

# Formulas as MathML: what MathJax writes for screen readers.
AS_XHTML = """() => {
  for (const box of document.querySelectorAll("mjx-container")) {
    const math = box.querySelector("mjx-assistive-mml > math").cloneNode(true);
    math.removeAttribute("style");
    box.replaceWith(math);
  }
  const writer = new XMLSerializer();
  return [...document.querySelectorAll(".sheet")].map((sheet) => {
    const title = sheet.querySelector("h1")?.textContent ?? "";
    return [sheet.id, title, writer.serializeToString(sheet)];
  });
}"""


def browser_path() -> str | None:
    """Return the Chromium of this machine: FERSEP_BROWSER, or what is on the path."""
    named = os.environ.get("FERSEP_BROWSER")
    programs = ("chromium", "chromium-browser", "google-chrome")
    return named or next(filter(None, map(shutil.which, programs)), None)


def pages_in_order(root: Path) -> list[str]:
    """Return the pages of `_toc.yml` in order, as "book/01_claim"."""
    text = (root / "_toc.yml").read_text("utf-8")
    return re.findall(r"(?m)^\s*(?:-\s*file|root):\s*(\S+)", text)


def one_sheet(site: Path, pages: Sequence[str], title: str, author: str) -> str:
    """Return all pages as one: links lead inside it, solutions are open, setup is gone.

    ValueError if the book is not built.
    """
    trees = {}
    for page in pages:
        path = site / f"{page}.html"
        if not path.is_file():
            raise ValueError(
                f"there is no {path.relative_to(site)}; run make book first"
            )
        trees[Path(page).name] = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    styles, sheets, contents = [PAGES], [], []
    for number, (name, tree) in enumerate(trees.items()):
        article = tree.select_one("article.bd-article")
        assert article is not None, name
        _only_what_is_read(article)
        _inside(article, name, set(trees))
        head = article.find("h1")
        heading = head.get_text() if head else name
        running = json.dumps(heading, ensure_ascii=False)
        styles.append(
            f"@page sheet{number} {{ @top-left {{ content: {running}; "
            'font: 9pt "Source Sans 3"; }}'
        )
        sheets.append(
            f'<section class="sheet" id="{name}" style="page: sheet{number}">'
            f"{article.decode_contents()}</section>"
        )
        contents.append(
            f'<li><a href="#{name}">{html.escape(heading)}</a>'
            f'<span class="page" data-of="{name}"></span></li>'
        )
    first = next(iter(trees.values()))
    assert first.head is not None
    return (
        f'<!DOCTYPE html><html lang="en" data-content_root="../" data-theme="light">'
        f"<head>{first.head.decode_contents()}<style>{''.join(styles)}</style></head>"
        f'<body><article class="bd-article"><div id="front"><p style="font-size:28pt">'
        f"{html.escape(title)}</p><p>{html.escape(author)}</p></div><section "
        f'class="sheet" id="contents"><h1>Contents</h1><ul>{"".join(contents)}</ul>'
        f"</section>{''.join(sheets)}</article></body></html>"
    )


def _only_what_is_read(article: Tag) -> None:
    """Take out what only a screen needs; open what is folded."""
    for fold in article.select("details.hide"):
        name = fold.select_one("summary p")
        if name and name.get_text() in ("Setup", "Code"):
            fold.decompose()
            continue
        fold["open"] = ""
        if name and fold.summary:
            fold.summary.string = name.get_text()
    noise = ".headerlink, .fersep-checks, .fersep-symbols, script, [hidden], label"
    for element in article.select(noise):
        element.decompose()
    for cell in article.select("div.cell"):
        if not cell.get_text(strip=True) and not cell.find(["img", "svg"]):
            cell.decompose()


def _inside(article: Tag, name: str, names: set[str]) -> None:
    """Make the ids of a page unique in the book, and its links lead to them."""
    for element in article.select("[id]"):
        if not element.find_parent("svg"):
            element["id"] = f"{name}--{element['id']}"
    for link in article.select("a[href]"):
        page, _, place = str(link["href"]).partition("#")
        target = Path(page).stem if page.endswith(".html") else name * (not page)
        if target in names:
            link["href"] = f"#{target}--{place}" if place else f"#{target}"


def _settings() -> dict[str, Any]:
    text = (ROOT / "_config.yml").read_text("utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


@contextmanager
def opened(site: Path) -> Any:
    """Open the whole book as one page in Chromium, with its formulas set.

    ValueError if there is no Chromium, or the book is not built.
    """
    from playwright.sync_api import sync_playwright

    if not (chromium := browser_path()):
        raise ValueError(
            "there is no Chromium: install chromium or google-chrome, or name one in "
            "FERSEP_BROWSER"
        )
    settings = _settings()
    pages = pages_in_order(ROOT)
    sheet = site / "book" / "_one_sheet.html"
    sheet.write_text(
        one_sheet(site, pages, settings["title"], settings["author"]), "utf-8"
    )
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"]
            )
            view = browser.new_page(viewport={"width": 660, "height": 900})
            view.emulate_media(media="print", color_scheme="light")
            view.goto(sheet.resolve().as_uri(), wait_until="load", timeout=600_000)
            view.evaluate("MathJax.startup.promise")
            view.wait_for_timeout(500)
            yield view
    finally:
        sheet.unlink()


def write(kind: str) -> Path:
    """Write the built book as "pdf" or "epub" and let every page link to it."""
    site = build_folder() / "html"
    target = write_pdf(site) if kind == "pdf" else write_epub(site)
    offer_downloads(site)
    return Path(os.path.relpath(target))


def write_pdf(site: Path) -> Path:
    """Write the book as PDF with bookmarks, page numbers and running heads."""
    target = site / f"{NAME}.pdf"
    look = {"outline": True, "tagged": True, "prefer_css_page_size": True}
    with opened(site) as view:
        # Chromium cannot count pages ahead of the one it prints.
        first = PdfReader(BytesIO(view.pdf(**look)))
        begins = {
            name.removeprefix("/"): page + 1
            for name, place in first.named_destinations.items()
            if (page := first.get_destination_page_number(place)) is not None
        }
        view.evaluate(NUMBER, begins)
        with whole_file(target) as part:
            view.pdf(path=str(part), **look)
    return target


def write_epub(site: Path) -> Path:
    """Write the book as EPUB 3: one file a page, formulas as MathML."""
    settings = _settings()
    with opened(site) as view:
        sheets = view.evaluate(AS_XHTML)
    files = {f"{name}.xhtml": _xhtml(title, body) for name, title, body in sheets}
    titles = {f"{name}.xhtml": title for name, title, _ in sheets}
    pictures: dict[str, bytes] = {}
    for name, text in files.items():
        for source in set(re.findall(r' src="\.\./(_images/[^"]+)"', text)):
            pictures[source] = (site / source).read_bytes()
        files[name] = text.replace(' src="../_images/', ' src="_images/')
    target = site / f"{NAME}.epub"
    with whole_file(target) as part, zipfile.ZipFile(part, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        options = {"compress_type": zipfile.ZIP_DEFLATED}
        book.writestr("META-INF/container.xml", CONTAINER, **options)
        book.writestr("OEBPS/book.css", STYLE, **options)
        book.writestr("OEBPS/nav.xhtml", _nav(titles), **options)
        package = _package(settings, files, sorted(pictures))
        book.writestr("OEBPS/content.opf", package, **options)
        for name, text in files.items():
            book.writestr(f"OEBPS/{name}", text, **options)
        for name, picture in pictures.items():
            book.writestr(f"OEBPS/{name}", picture, **options)
    return target


CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf"
media-type="application/oebps-package+xml"/></rootfiles></container>
"""
STYLE = """
body { line-height: 1.45; }
pre { white-space: pre-wrap; font-size: 0.8em; }
figure { margin: 1em 0; }
figcaption { font-size: 0.9em; }
img, svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.2em 0.5em; border-bottom: 1px solid #bbb; text-align: left; }
td.number { text-align: right; }
.admonition { border-left: 0.25em solid #888; padding-left: 1em; }
.admonition-title, .caption-number { font-weight: bold; }
.eqno { float: right; }
"""


def _xhtml(title: str, body: str) -> str:
    body = re.sub(r"light-dark\((#[0-9a-f]+),#[0-9a-f]+\)", r"\1", body)
    body = re.sub(r' href="#([^"]*?)(--[^"]*)?"', r' href="\1.xhtml#\1\2"', body)
    styles = re.findall(r"(?s)<style.*?</style>", body)  # which belong in the head
    body = re.sub(r"(?s)<style.*?</style>", "", body)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en"><head>'
        f"<title>{html.escape(title)}</title>"
        '<link rel="stylesheet" type="text/css" href="book.css"/>'
        f"{''.join(styles)}</head><body>{body}</body></html>"
    )


def _nav(titles: dict[str, str]) -> str:
    entries = "".join(
        f'<li><a href="{file}">{html.escape(title)}</a></li>'
        for file, title in titles.items()
    )
    nav = 'xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"'
    return _xhtml("Contents", f"<nav {nav}><h1>Contents</h1><ol>{entries}</ol></nav>")


def _package(settings: dict[str, Any], files: dict[str, str], images: list[str]) -> str:
    """Return the package document: what the book is called and what it is made of."""
    items = []
    for file, text in files.items():
        found = [kind for kind in ("mathml", "svg") if f"<{kind[:4]}" in text]
        properties = f' properties="{" ".join(found)}"' * bool(found)
        items.append((file, "application/xhtml+xml", properties))
    items += [(image, f"image/{Path(image).suffix[1:]}", "") for image in images]
    items.append(("book.css", "text/css", ""))
    items.append(("nav.xhtml", "application/xhtml+xml", ' properties="nav"'))
    manifest = "".join(
        f'<item id="item{n}" href="{file}" media-type="{kind}"{properties}/>'
        for n, (file, kind, properties) in enumerate(items)
    )
    spine = "".join(f'<itemref idref="item{n}"/>' for n in range(len(files)))
    title, author = map(html.escape, (settings["title"], settings["author"]))
    own = uuid.uuid5(uuid.NAMESPACE_DNS, title)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" '
        'version="3.0" unique-identifier="id"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{own}</dc:identifier>'
        f"<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator>"
        f'<dc:language>en</dc:language><meta property="dcterms:modified">{now}</meta>'
        f"</metadata><manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    )
