"""Who acts on the command line, for the audit log."""

from __future__ import annotations

import getpass


def operator() -> str:
    """The user of the operating system: ``cli:anna``."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container without a name for the user
        return "cli:unknown"
