"""The module that `python -m polyexp` runs."""

import sys

from polyexp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
