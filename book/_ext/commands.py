"""The commands behind `make`: run chapters, build the site, write the student's book.

    python book/_ext/commands.py run [CHAPTER ...] [--force]
    python book/_ext/commands.py book
    python book/_ext/commands.py student

The environment variable FERSEP_PROFILE chooses the profile (smoke, cpu, gpu).
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

try:
    from chapters import BookError
    from pages import is_finished, write_notebooks
    from runner import hold_build, no_space, run_stale

    from fersep.storage import build_folder
except SyntaxError as error:
    sys.exit(f"{error.filename}, line {error.lineno}: {error.msg}.")

ROOT = Path(__file__).resolve().parents[2]


def build_site(root: Path) -> None:
    """Build the HTML with Jupyter Book, unless nothing it is made from changed."""
    build = build_folder()
    if build.name != "_build":
        raise BookError(f"FERSEP_BUILD must end in /_build, and {build} does not.")
    if not is_finished(root):
        # Not its script, which breaks where the folder was moved.
        program = [sys.executable, "-c", "from jupyter_book.cli.main import *; main()"]
        print("Building the pages", flush=True)
        # Warnings come on the other stream and stay visible.
        done = subprocess.run(
            [*program, "build", "-q", ".", "--path-output", str(build.parent)],
            cwd=root,
            env={**os.environ, "FERSEP_CHAPTERS": "fresh"},
            stdout=subprocess.DEVNULL,
        )
        if done.returncode:
            raise BookError(f"The pages were not built; see above.{no_space()}")
    print(f"Open {os.path.relpath(build / 'html' / 'index.html')}")


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
    try:
        if order.command == "student":
            folder = build_folder() / "student"
            write_notebooks(ROOT, folder, students=True)
            print(f"Notebooks without solutions: {os.path.relpath(folder)}")
            return 0
        with hold_build():
            if order.command == "run":
                run_stale(ROOT, order.chapter, order.force)
            else:
                run_stale(ROOT)
                build_site(ROOT)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.{no_space()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
