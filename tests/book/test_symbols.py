"""Symbols of numbered formulas explain themselves, and none is without an entry."""

import inspect
from importlib.util import find_spec

import pytest
import torch
from fersep_book import live, site, symbols
from site_checks import AXE, Axe

from fersep import equations

NOTATION = r"""<article><h1>Notation</h1><table><tbody>
<tr><td>\(m\)</td><td>batch size</td><td><code>batch_size</code></td></tr>
<tr><td>\(i\)</td><td>number of a sample</td><td></td></tr>
<tr><td>\(x_i \in \mathbb{R}^d\)</td><td>feature</td><td><code>features</code></td></tr>
<tr><td>\(L_{intra}\)</td><td>loss</td><td><code>intra_loss</code></td></tr>
<tr><td>\(\hat u = u / \lVert u\rVert\)</td><td>direction</td></tr>
</tbody></table><h2>In statistics</h2><p>Chapters 1 and 7b use these.</p>
<table><tbody><tr><td>\(m\)</td><td>mean</td></tr></tbody></table></article>"""
FORMULA = r"L_{intra} = \frac1m\sum_{i=1}^{m} x_i^{\mathsf T} \hat x_i &amp;&lt; 1"
BATCH = {
    "features": torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),
    "labels": torch.arange(6) % 3,
    "alpha": 0.5,
    "similarity": print,  # a chapter's own function
}
BATCH["centers"] = BATCH["features"][:3] + 0.1


def page(formula: str) -> str:
    return (
        '<article><div class="math notranslate" id="equation-eq-2">\n'
        f'<span class="eqno">(2)</span>\\[{formula}\\]</div></article>'
    )


def test_a_page_is_explained():
    found, missing = symbols.explain(page(FORMULA), NOTATION, "4", {"m": "20"})
    assert missing == []
    assert r"\frac1{\class{fersep-symbol at-1}{m}}" in found
    assert r"{\class{fersep-symbol at-3}{x_i^{\mathsf T}}}" in found
    assert r"{\class{fersep-symbol at-4}{\hat x_i}} &amp;&lt; 1" in found
    assert found.count("<li>") == 5
    assert "batch size<br>in this build <code>20</code>" in found
    assert "Symbols of Eq. 2" in found


def test_a_section_for_other_chapters_does_not_count():
    for chapter, meaning in (("7b", "mean"), ("4", "batch size")):
        known = symbols.entries(NOTATION, chapter)
        assert known["m", ""].meaning == meaning


def test_a_row_is_told_once_and_with_its_own_code():
    row = (
        r"<tr><td>\(j\), \(k\)</td><td>a class</td></tr>"
        r"<tr><td>\(L_a\), \(L_b\)</td><td>losses</td>"
        "<td><code>intra_increment</code>, <code>inter_increment</code></td></tr>"
    )
    notation = NOTATION.replace("<tbody>", f"<tbody>{row}", 1)
    found, _ = symbols.explain(page("L_b = j + k"), notation, "4", {})
    assert found.count("a class") == found.count("<li>") - 1 == 1
    assert "inter_increment_unchecked" in found
    assert "intra_increment" not in found


def test_a_small_number_is_a_power_of_ten():
    assert symbols.power_of_ten(2.6e-4) == "3·10⁻⁴"


def test_line_shape_and_value_are_those_of_the_code():
    shape, line = symbols.in_code()["intra_loss"]
    place, _, code = line.partition(": ")
    source, first = inspect.getsourcelines(equations.intra_loss)
    at = int(place.removeprefix("equations.py, line "))
    assert source[at - first].strip() == f"return {code}"
    assert shape == "scalar"
    assert symbols.in_code()["features"] == ("(m, d)", "")
    values = symbols.in_this_build(BATCH)
    loss = equations.intra_loss(BATCH["features"], BATCH["centers"], BATCH["labels"])
    assert values["intra_loss"] == f"{loss:.4g}"
    wanted = {"m": "6", "d": "4", "s": "3", "alpha": "0.5", "features": "(6, 4)"}
    assert wanted.items() <= values.items()
    assert "similarity" not in values


@pytest.fixture
def book(tmp_path):
    folder = tmp_path / "html" / "book"
    folder.mkdir(parents=True)
    (tmp_path / "html" / "_static").mkdir()
    (folder / "notation.html").write_text(NOTATION)
    return folder


def test_a_symbol_without_a_row_stops_the_build(book):
    (book / "04_a.html").write_text(page(FORMULA))
    site.mend_site(book.parent)
    (book / "04_a.html").write_text(page(FORMULA + r" + \kappa"))
    with pytest.raises(SystemExit, match=r"no row for \\kappa in eq-2 of 04_a.html"):
        site.mend_site(book.parent)


def test_a_reader_asks_by_pointer_and_by_keys(book, browser):
    ours = [(live.STATIC / name).as_uri() for name in ("fersep.css", "fersep.js")]
    (place,) = find_spec("sphinx-mathjax-offline").submodule_search_locations
    found, _ = symbols.explain(page(FORMULA.split("&")[0]), NOTATION, "4", {})
    file = book / "04_a.html"
    file.write_text(
        f'<!doctype html><html lang="en"><title>A</title><meta charset="utf-8">'
        f'<link rel="stylesheet" href="{ours[0]}"><script src="{ours[1]}"></script>'
        f'<script defer src="file://{place}/static/mathjax/tex-chtml.js"></script>'
        f"<body><main><h1>A</h1>{found}</main>"
    )
    context = browser.new_context(offline=True)
    view = context.new_page()
    view.goto(file.as_uri())
    formula = view.locator("mjx-container[tabindex='0']").first
    formula.wait_for()
    assert view.locator("mjx-merror").count() == 0
    shown = view.locator("#fersep-preview")
    view.locator("mjx-math .fersep-symbol").first.hover()
    assert "loss" in shown.inner_text()
    assert "equations.py, line" in shown.inner_text()
    for key, words in (("ArrowRight", "batch size"), ("ArrowLeft", "loss")):
        formula.press(key)
        assert words in shown.inner_text()
    assert Axe().run(view, options=AXE).response["violations"] == []
    formula.press("Escape")
    assert shown.count() == 0
    context.close()
