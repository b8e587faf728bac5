"""What every page of the built book must satisfy, asked of a real browser.

The same checker looks at the real book (`test_site.py`) and at a miniature book
with planted faults (`test_gate.py`). A fault is one line: its kind, then what is
wrong. The pages are opened from disk, and every request that would leave this
machine is refused and counted.
"""

import re
import socket
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

ROOT = Path(__file__).resolve().parents[2]
PAGE_LIMIT = 3_000_000  # bytes, pictures of the page included

# Every rule of these sets. `preload` would fetch style sheets, which file:// forbids.
AXE = {
    "preload": False,
    "resultTypes": ["violations"],
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}
# In the dark only the colors differ.
AXE_COLORS = {
    "preload": False,
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast"]},
}


def pages(html: Path) -> list[str]:
    """Return every page of a built book."""
    found = (path.relative_to(html) for path in html.rglob("*.html"))
    names = sorted(path.as_posix() for path in found if path.parts[0] != "_static")
    # The first file only sends the reader on to the first page.
    return [name for name in names if name != "index.html"]


@cache
def _parse(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


@cache
def _places(html: str) -> frozenset[str]:
    """Return the names of all places that a link may lead to."""
    tree = _parse(html)
    return frozenset(
        str(element[attribute])
        for attribute in ("id", "name")
        for element in tree.find_all(attrs={attribute: True})
    )


def _soup(path: Path) -> BeautifulSoup:
    return _parse(path.read_text("utf-8"))


def file_faults(html: Path, page: str) -> list[str]:
    """Return what is wrong with a page's file: links, pictures, texts, size."""
    path = html / page
    tree = _soup(path)
    faults = []
    for tag, attribute in (("a", "href"), ("img", "src"), ("link", "href")):
        for element in tree.find_all(tag, attrs={attribute: True}):
            fault = _link_fault(path, str(element[attribute]))
            if fault:
                faults.append(f"link: {fault}")
    for image in tree.find_all("img"):
        alt = str(image.get("alt", "")).strip()
        # Sphinx writes the file's name where an author gives no text.
        if len(alt) < 10 or re.search(r"\.(png|jpe?g|svg|gif)$", alt):
            faults.append(f"alt: {str(image.get('src'))[:60]} has {alt!r}")
    for figure in tree.select("[role=img]"):
        if len(str(figure.get("aria-label", "")).strip()) < 10:
            faults.append(f"alt: {str(figure)[:60]}")
    shown = tree.get_text()
    faults += [f"private: {word}" for word in private_words(path.read_text("utf-8"))]
    host = socket.gethostname()
    if re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", shown) and not in_book(host):
        faults.append(f"private: the name of this machine, {host}")
    if "Traceback (most recent call last)" in shown or tree.select(".traceback"):
        faults.append("traceback: the page shows one")
    for output in tree.select(".output.stderr"):
        if "Warning" in output.get_text():
            faults.append(f"warning: {' '.join(output.get_text().split())[:120]}")
    size = path.stat().st_size + sum(
        (path.parent / str(image["src"])).stat().st_size
        for image in tree.find_all("img", src=re.compile(r"^(?!data:|https?:)"))
        if (path.parent / str(image["src"])).is_file()
    )
    if size > PAGE_LIMIT:
        faults.append(f"size: {size / 1e6:.1f} MB")
    return faults


def _link_fault(path: Path, link: str) -> str:
    """Return what is wrong with a link inside the book, or nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"{link} leads to no file"
    anchor = unquote(parts.fragment)
    on_page = anchor and target.suffix == ".html"
    if on_page and anchor not in _places(target.read_text("utf-8")):
        return f"{link} leads to no place on that page"
    return ""


def private_words(text: str) -> list[str]:
    """Return the places of this machine that a text shows."""
    text = re.sub(r"data:[\w/+.-]+;base64,[\w+/=]*", "", text)
    places = {str(ROOT), str(Path.home()), sys.prefix, "/tmp"}
    patterns = [rf"(?<![\w.~-]){re.escape(place)}/[\w.-]+" for place in places]
    return [match.group() for p in patterns for match in re.finditer(p, text)]


@cache
def in_book(name: str) -> bool:
    """Tell whether a machine's name is a word that the book uses anyway."""
    sources = [*(ROOT / "book").glob("*.[im]*"), *(ROOT / "fersep").rglob("*.py")]
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return any(word.search(path.read_text("utf-8")) for path in sources)


def browser_faults(browser: Browser, html: Path, page: str) -> list[str]:
    """Open a page with the network cut, in light and dark, and return what is wrong."""
    faults: list[str] = []
    context = browser.new_context(color_scheme="light")
    outside = re.compile(r"^(?!file:|data:|blob:|about:)")
    context.route(outside, lambda route: route.abort())
    view = context.new_page()

    def note_request(request: Request) -> None:
        if outside.match(request.url):
            faults.append(f"external: {request.url}")

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    view.on("request", note_request)
    view.on("console", note_message)
    view.on("pageerror", lambda error: faults.append(f"console: {error}"))
    view.goto((html / page).resolve().as_uri(), wait_until="load")
    view.evaluate("window.MathJax?.startup?.promise")
    for formula in view.locator("mjx-merror").all():
        faults.append(f"latex: {formula.get_attribute('data-mjx-error')}")
    # A formula with unbalanced braces is not even taken for one.
    raw = view.locator(".math:not(:has(mjx-container))").all_inner_texts()
    faults += [f"latex: not typeset: {text[:80]}" for text in raw]
    silent = view.locator("mjx-container:not(:has(mjx-assistive-mml))").count()
    faults += [f"silent: {silent} formulas, to a screen reader"] * bool(silent)
    faults += _narrow_faults(view)
    faults += _live_faults(view)
    faults += _axe_faults(view, AXE, "light")
    view.emulate_media(color_scheme="dark")
    view.wait_for_selector("html[data-theme=dark]")
    # The theme fades from one to the other.
    view.wait_for_timeout(300)
    faults += _axe_faults(view, AXE_COLORS, "dark")
    context.close()
    return faults


def _axe_faults(view: Page, options: dict[str, object], scheme: str) -> list[str]:
    """Return the accessibility rules that a page breaks, with the places."""
    return [
        f"axe: {rule['id']} ({scheme}): {' '.join(node['html'].split())[:150]}"
        for rule in Axe().run(view, options=options).response["violations"]
        for node in rule["nodes"]
    ]


def _narrow_faults(view: Page) -> list[str]:
    """Tell what a phone of 390 px cannot show: a page, or a formula, that is cut."""
    wide = view.viewport_size
    view.set_viewport_size({"width": 390, "height": 844})
    view.wait_for_timeout(100)
    width = view.evaluate("document.documentElement.scrollWidth")
    faults = [f"narrow: the page is {width} px wide"] * (width > 390)
    cut = "mjx-container[display]:not(.cut)"
    hidden = "boxes => boxes.filter(b => b.scrollWidth > b.clientWidth + 2).length"
    if view.locator(cut).evaluate_all(hidden):
        faults.append("narrow: a formula is cut and does not say so")
    view.set_viewport_size(wide or {"width": 1280, "height": 720})
    return faults


def _live_faults(view: Page) -> list[str]:
    """Press a key on every handle and slider; the words of its figure must change."""
    faults = []
    for figure in view.locator(".fersep-live").all():
        name = figure.get_attribute("data-figure")
        if not figure.locator("svg").count():
            faults.append(f"live: {name} did not start")
        for part in figure.locator(".handle, input[type=range]").all():
            before = part.get_attribute("aria-valuetext")
            for key in ("ArrowUp", "ArrowLeft", "ArrowRight", "ArrowRight"):
                part.press(key)
                view.wait_for_timeout(40)  # a figure draws once a frame
                if part.get_attribute("aria-valuetext") != before:
                    break
            else:
                faults.append(f"live: nothing moves {name}, {before}")
    return faults
