"""Run the unit tests of the mathematics against changed sources.

``python tests/mutation.py < mutants.json > outcomes.json``: each mutant is ``[module,
old, new]``, a text of `fersep/<module>.py` that occurs exactly once and what replaces
it; ``null`` changes nothing. One process imports torch once and forks for each mutant,
so that a mutant costs the tests alone.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = ("equations", "losses")
SECONDS = 60


def tests_of(module: types.ModuleType) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every test of a module with its parameters filled in.

    Left out are tests that need a fixture or a GPU, and those of hypothesis, which
    would take most of the time.
    """
    for name, function in vars(module).items():
        if not name.startswith("test_") or hasattr(function, "hypothesis"):
            continue
        marks = getattr(function, "pytestmark", [])
        if any(mark.name == "gpu" for mark in marks):
            continue
        choices = []
        for mark in marks:
            names = mark.args[0]
            if isinstance(names, str):
                names = [n.strip() for n in names.split(",")]
            rows = mark.args[1]
            if len(names) == 1:
                rows = [[row] for row in rows]
            choices.append([dict(zip(names, row, strict=True)) for row in rows])
        for chosen in itertools.product(*choices):
            arguments = {k: v for part in chosen for k, v in part.items()}
            if set(inspect.signature(function).parameters) == set(arguments):
                yield name, lambda f=function, a=arguments: f(**a)


def changed(module: str, mutant: list[str] | None) -> str:
    """The source of a module, with the mutant in it if it is one of this module."""
    source = (ROOT / "fersep" / f"{module}.py").read_text()
    if mutant is None or mutant[0] != module:
        return source
    _, old, new = mutant
    times = source.count(old)
    if times != 1:
        raise LookupError(
            f"{old!r} occurs {times} times in fersep/{module}.py, not once; "
            "write the mutant anew for the present source"
        )
    return source.replace(old, new)


def outcome(mutant: list[str] | None) -> dict[str, object]:
    """Load the changed sources in the place of the real ones and run the tests."""
    try:
        fersep = importlib.import_module("fersep")
        for name in MODULES:
            module = types.ModuleType(f"fersep.{name}")
            sys.modules[module.__name__] = module
            setattr(fersep, name, module)
            path = str(ROOT / "fersep" / f"{name}.py")
            exec(compile(changed(name, mutant), path, "exec"), vars(module))
        tests = [importlib.import_module(f"test_{name}") for name in MODULES]
        found = [test for module in tests for test in tests_of(module)]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    for name, test in found:
        try:
            test()
        except BaseException as error:  # pytest.fail is no Exception
            return {"killed_by": name, "how": type(error).__name__}
    return {"survived": len(found)}


def in_a_child(mutant: list[str] | None) -> dict[str, object]:
    """One mutant in a forked process; a changed module cannot reach the next one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.close(read)
        with os.fdopen(write, "w") as out:
            json.dump(outcome(mutant), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if status:
        return {"error": f"the process ended with {os.waitstatus_to_exitcode(status)}"}
    return json.loads(text)


def main() -> None:
    """Read mutants, write outcomes."""
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401
    import torch

    sys.path.insert(0, str(ROOT))
    torch.set_num_threads(1)
    json.dump([in_a_child(mutant) for mutant in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
