"""``python -m sync.cli``: the same as ``kehu``."""

from sync.cli import main

main()
