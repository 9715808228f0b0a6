"""The command `outlay`, also as `python -m outlay`."""

import sys

from outlay._cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
