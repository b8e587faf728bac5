"""Mends the finished HTML; adds what a reader needs without a server."""

import json
import re
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

from fersep_book import symbols

#: The file name of the book as PDF and as EPUB.
NAME = "the-separate-loss"

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
    (  # what the search shows of a page, where pages cannot be fetched
        '  <script src="searchindex.js">',
        '<script src="_static/search_texts.js"></script><script src="searchindex.js">',
    ),
)


#: Of MathJax's bundles, the one that pages load.
MATHJAX = "tex-chtml.js"


def mend_site(html: Path) -> None:
    """Mend every page; add previews of what it refers to; write the search's texts.

    What no page asks for is removed: other bundles of MathJax, and maps to the source
    of scripts.
    """
    unasked = {*html.glob("_static/mathjax/*-*.js"), *html.glob("_static/**/*.map")}
    for file in unasked - {html / "_static" / "mathjax" / MATHJAX}:
        file.unlink()
    paths = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    texts = {path: mend(path.read_text("utf-8")) for path in paths}
    trees = {path: BeautifulSoup(text, "html.parser") for path, text in texts.items()}
    try:
        texts = symbols.explain_pages(html, texts)
    except ValueError as error:  # Sphinx wraps others, and goes on
        raise SystemExit(str(error)) from None
    for path, text in texts.items():
        text = with_downloads(text, html, path)
        text = described(text, trees[path])
        text = text.replace("</body>", f"{previews(path, trees)}</body>")
        path.write_text(text, "utf-8")
    found = {
        path.relative_to(html).as_posix(): sections(tree)
        for path, tree in trees.items()
    }
    content = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    place = html / "_static" / "search_texts.js"
    place.write_text(f"window.searchTexts = {content};\n", "utf-8")


def mend(html: str) -> str:
    """Return a page with the theme's accessibility faults mended."""
    for fault, cure in MENDS:
        html = html.replace(fault, cure)
    # An empty corner of a table heads nothing.
    return re.sub(r'<th class="[^"]*head[^"]*"><p></p></th>', "<td></td>", html)


def offer_downloads(html: Path) -> None:
    """Let every page of a finished site link to the whole books that are there."""
    for path in html.rglob("*.html"):
        text = path.read_text("utf-8")
        path.write_text(with_downloads(text, html, path), "utf-8")


def with_downloads(text: str, html: Path, path: Path) -> str:
    """Return a page whose download button offers the whole book too, if it is there."""
    text = re.sub(r'<li class="whole-book">.*?</li>', "", text)
    up = "../" * (len(path.relative_to(html).parts) - 1)
    links = "".join(
        '<li class="whole-book"><a class="btn btn-sm dropdown-item" '
        f'href="{up}{NAME}.{kind}">The book as {kind.upper()}</a></li>'
        for kind in ("pdf", "epub")
        if (html / f"{NAME}.{kind}").is_file()
    )
    head, button, rest = text.partition(
        '<div class="dropdown dropdown-download-buttons">'
    )
    return head + button + rest.replace("</ul>", f"{links}</ul>", 1) if button else text


def described(text: str, tree: BeautifulSoup) -> str:
    """Return a page whose head says what it is about, for searches and for links."""
    answer = tree.select(".admonition.answer > p:not(.admonition-title)")
    for paragraph in [*answer, *tree.select("article section > p")]:
        words = re.sub(r"\\[()]", "", " ".join(paragraph.get_text().split()))
        words = words.removeprefix("In one sentence. ")
        if not words.startswith(("You need", "After this", "No verdict")):
            break
    else:
        return text
    if len(words) > 200:
        words = words[:200].rpartition(" ")[0] + " …"
    about = {
        'name="description"': words,
        'property="og:title"': tree.title.get_text() if tree.title else "",
        'property="og:description"': words,
        'property="og:image"': "../_static/social.png",
    }
    lines = (f'<meta {key} content="{escape(value)}"/>' for key, value in about.items())
    return text.replace("</head>", f"{''.join(lines)}</head>")


def previews(path: Path, trees: dict[Path, BeautifulSoup]) -> str:
    """Return what the page's references lead to, for the script to show beside them."""
    shown: dict[str, str] = {}
    for link in trees[path].select("article a.reference.internal[href*='#']"):
        address = str(link["href"])
        parts = urlsplit(address)
        there = (path.parent / parts.path).resolve() if parts.path else path
        target = (
            trees[there].find(id=unquote(parts.fragment)) if there in trees else None
        )
        if isinstance(target, Tag):
            shown.setdefault(address, _excerpt(target))
    entries = (
        f'<div data-for="{address}">{excerpt}</div>'
        for address, excerpt in shown.items()
        if excerpt
    )
    return f'<template id="fersep-previews">{"".join(entries)}</template>'


def _excerpt(target: Tag) -> str:
    """Return a figure or equation whole, a section's start, a term's meaning."""
    if target.name == "section":
        heading, first = target.find(re.compile("^h[1-6]$")), target.find("p")
        text = f"<p><strong>{heading.get_text()}</strong></p>" if heading else ""
        text += str(first or "")
    elif target.name == "dt":
        text = str(target.find_next_sibling("dd") or "")
    elif target.name == "figure" or "math" in target.get_attribute_list("class"):
        text = str(target)
    elif "citation" in target.get_attribute_list("class"):
        text = target.get_text()
    else:
        return ""
    text = re.sub(r'<a class="headerlink".*?</a>', "", text)
    return re.sub(r' id="[^"]*"', "", text)


def sections(tree: BeautifulSoup) -> list[tuple[str, str, str]]:
    """Return (id, title, words) of each section of a page, for the search."""
    found = []
    for section in tree.select("article section[id]"):
        heading = section.find(re.compile("^h[1-6]$"))
        words = " ".join(
            part.get_text(" ")
            for part in section.find_all(recursive=False)
            if part.name != "section" and part is not heading
        )
        title = heading.get_text().removesuffix("#") if heading else ""
        words = re.sub(r"\\[()\[\]]| #(?= |$)", "", " ".join(words.split()))
        found.append((str(section["id"]), title, words))
    return found
