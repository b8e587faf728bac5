"""The command line: ``python -m fersep train --help``."""

import sys

from fersep.cli import main

sys.exit(main())
