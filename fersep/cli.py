"""The command line: ``python -m fersep train``, ``data`` and ``predict``."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake the reader can mend is one line and status 1."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m fersep",
        description="The separate loss for facial expression recognition.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train one network by Algorithm 1")
    photographs = commands.add_parser(
        "data", help="list the data sets, check a folder, or get the open set"
    )
    seen = commands.add_parser("predict", help="say what a run sees in faces")
    # Only what is asked for, because torch takes seconds to import.
    if given[:1] == ["train"]:
        from fersep.training import command as training_command

        training_command.add_arguments(train)
        run = training_command.run
    elif given[:1] == ["data"]:
        from fersep.data import command as data_command

        data_command.add_arguments(photographs)
        run = data_command.run
    elif given[:1] == ["predict"]:
        from fersep import predict

        predict.add_arguments(seen)
        run = predict.run
    order = parser.parse_args(given)
    try:
        return run(order)
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on, train with --resume", file=sys.stderr)
        return 130
