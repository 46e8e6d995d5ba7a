"""``make bench``: every measurement, one after the other. Figures are stated in docs/performance.md."""

from __future__ import annotations

import subprocess
import sys

SUITES = ("benchmarks.sync", "benchmarks.latency", "benchmarks.mapping", "benchmarks.normalise", "benchmarks.rest")

if __name__ == "__main__":
    for suite in SUITES:
        print(f"\n== {suite}", flush=True)
        subprocess.run([sys.executable, "-m", suite], check=True)
