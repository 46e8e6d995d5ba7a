"""The example company's command: ``python examples/company.py generate FOLDER``, then ``… serve FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from examples.nanyang.cli import main

    sys.exit(main())
