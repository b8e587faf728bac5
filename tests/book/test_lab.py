"""A chapter in a real JupyterLab: plain text, set formulas, folded solutions."""

import os
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from pages import write_notebooks
from playwright.sync_api import expect

pytestmark = pytest.mark.site


@pytest.fixture
def lab(book, tmp_path, monkeypatch):
    """Serve the chapters of the miniature book as notebooks; one has a solution."""
    answer = "# Only its first line\ntotal = size + 1"
    book.change_cell("02_second", answer, "solution", "hide-cell")
    monkeypatch.setenv("FERSEP_BUILD", str(book.path("_build")))
    write_notebooks(book.root, tmp_path / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{kind}_DIR": str(tmp_path) for kind in ("CONFIG", "RUNTIME")}
    server = subprocess.Popen(
        [
            *[sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"],
            *[f"--port={port}", "--IdentityProvider.token=", tmp_path / "notebooks"],
        ],
        env={**os.environ, **own, "JUPYTERLAB_SETTINGS_DIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urlopen(f"{address}/api")
            break
        except URLError:
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait()


def test_chapter_reads_in_jupyterlab_as_on_the_page(lab, browser):
    view = browser.new_page(viewport={"width": 1280, "height": 2000})
    view.goto(f"{lab}/lab/tree/02_second.ipynb")
    for drawn in ("mjx-container >> nth=1", ".jp-Placeholder"):
        view.wait_for_selector(f".jp-Notebook {drawn}", timeout=120_000)
    expect(view.locator(".jp-Notebook .jp-Placeholder")).to_have_count(1)
    text = view.locator(".jp-Notebook").inner_text()
    assert "2 · Second" in text
    for raw in ("{eq}", "{doc}", "{ref}", "(chapter-second)=", "$$", "\\tag"):
        assert raw not in text
    assert view.locator(".jp-Notebook a[href*='02_second']").count() == 2
    assert view.locator(".jp-Notebook mjx-merror").count() == 0
    assert "Only its first line" in text  # of a solution, which is folded
    assert "total = size" not in text
    view.close()
