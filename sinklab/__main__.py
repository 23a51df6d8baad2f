"""``python -m sinklab``: the command line."""

import sys

from sinklab.cli import main

if __name__ == "__main__":
    sys.exit(main())
