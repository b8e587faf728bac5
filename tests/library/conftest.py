"""What the tests of the library share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def build(tmp_path_factory, monkeypatch) -> Path:
    """Let every test keep what is computed in a folder of its own."""
    folder = tmp_path_factory.mktemp("build")
    monkeypatch.setenv("FERSEP_BUILD", str(folder))
    return folder
