"""The commands behind `make`: run chapters, build the site, write the student's book.

    python book/_ext/commands.py run [CHAPTER ...] [--force]
    python book/_ext/commands.py book
    python book/_ext/commands.py student

The environment variable FERSEP_PROFILE chooses the profile (smoke, cpu, gpu).
"""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from chapters import BookError
from pages import write_notebooks
from runner import run_stale

ROOT = Path(__file__).resolve().parents[2]


def build_site(root: Path) -> None:
    """Build the HTML with Jupyter Book, unless nothing it is made from changed."""
    stamp = root / "_build" / "site.key"
    key = site_key(root)
    first = root / "_build" / "html" / "index.html"
    if not (first.is_file() and stamp.is_file() and stamp.read_text() == key):
        stamp.unlink(missing_ok=True)
        program = Path(sys.executable).with_name("jupyter-book")
        print("Building the pages", flush=True)
        # Warnings come on the other stream and stay visible.
        order = [str(program), "build", "-q", "."]
        if subprocess.run(order, cwd=root, stdout=subprocess.DEVNULL).returncode:
            raise BookError("The pages were not built; the reason stands above.")
        stamp.write_text(key)
    print(f"Open {first.relative_to(root)}")


def site_key(root: Path) -> str:
    """Return the key of everything the pages are made from."""
    paths = [path for path in root.iterdir() if path.is_file()]
    for folder in ("book", "fersep", "_build/executed"):
        paths += [path for path in (root / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(root)
        # Caches of Python, Jupyter and ruff are no part of the site.
        if not any(part.startswith((".", "__pycache__")) for part in name.parts):
            digest.update(str(name).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Run one command; a mistake the reader can mend is one line and status 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run stale chapters through papermill")
    run.add_argument("chapter", nargs="*", help="only these, like 07_toy")
    run.add_argument("--force", action="store_true", help="run them even if fresh")
    commands.add_parser("book", help="run stale chapters, then build the HTML")
    commands.add_parser("student", help="write the notebooks without solutions")
    order = parser.parse_args()
    profile = os.environ.get("FERSEP_PROFILE", "smoke")
    try:
        if order.command == "run":
            run_stale(ROOT, profile, order.chapter, order.force)
        elif order.command == "book":
            run_stale(ROOT, profile)
            build_site(ROOT)
        else:
            folder = ROOT / "_build" / "student"
            write_notebooks(ROOT, folder, students=True)
            print(f"Notebooks without solutions: {folder.relative_to(ROOT)}")
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
