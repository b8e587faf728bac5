"""The command line: ``python -m fersep train``, ``data`` and ``predict``."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fersep import __version__

#: Each command: the module that knows it, and what it does.
COMMANDS = {
    "train": ("fersep.training.command", "train one network by Algorithm 1"),
    "data": (
        "fersep.data.command",
        "list the data sets, check a folder, or get the open set",
    ),
    "predict": ("fersep.predict", "say what a run sees in faces"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake the reader can mend is one line and status 1."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    # Before torch starts: threads that spin while they wait steal shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(
        prog="python -m fersep",
        description="The separate loss for facial expression recognition.",
    )
    parser.add_argument("--version", action="version", version=f"fersep {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words)
        if given[:1] == [name]:  # only what is asked for: torch takes seconds to import
            part = import_module(module)
            part.add_arguments(command)
    order = parser.parse_args(given)
    try:
        status: int = part.run(order)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, like `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on, train with --resume", file=sys.stderr)
        return 130
