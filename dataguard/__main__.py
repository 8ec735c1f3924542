"""``python -m dataguard``."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # With -m Python looks for modules in the current folder first: a random.py of a repository there would run.
    del sys.path[0]

from dataguard.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
