"""``python -m hubmirror`` is ``hubmirror``."""

import sys

from hubmirror.cli import main

if __name__ == "__main__":
    sys.exit(main())
