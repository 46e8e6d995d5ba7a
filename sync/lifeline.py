"""Child processes that never outlive their parent, however it ends."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process a signal when the thread that started it ends. Linux; elsewhere nothing.

    Safe between fork and exec: the C library was loaded when this module was imported.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))
