"""The instruments of the book: records, verdicts, figures, live figures."""

import os
from pathlib import Path

#: The project's folder, wherever a chapter is run from.
ROOT = Path(__file__).resolve().parents[2]

# Chapters share drawn faces and trained networks, from whichever folder they are run.
os.environ.setdefault("FERSEP_BUILD", str(ROOT / "_build"))
# For kernels started from here: threads that spin while they wait steal shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
