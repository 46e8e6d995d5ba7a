"""F1 of ``kehu dedupe`` on made-up exports, without a mapping: ``python -m benchmarks.exports [--train]``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.exports import EXPORTS, write
from sync.dedupe.accuracy import Accuracy
from sync.dedupe.job import Request, dedupe

SEEDS = (1, 77)


class Silent:
    """Watches nothing."""

    def update(self, name: str, done: int, total: int | None = None) -> None:
        """Nothing."""

    def proposed(self, text: str, recognised: str | None) -> None:
        """Nothing."""


def measure(name: str, seed: int, train: bool = False) -> Accuracy | None:
    """The accuracy of one export; ``train``: of a model learnt from its rows instead of the default one."""
    export = EXPORTS[name]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = [write(name, folder, seed)]
        request = Request(files, folder / "out", truth=export.truth, region=export.region, train=train)
        return dedupe(request, Silent()).accuracy


def main() -> None:
    """Print precision, recall and F1 by pair of every export, with two seeds."""
    arguments = argparse.ArgumentParser(prog="benchmarks.exports", description=__doc__)
    arguments.add_argument("--train", action="store_true", help="learn the model from the rows")
    train: bool = arguments.parse_args().train
    for name in EXPORTS:
        for seed in SEEDS:
            accuracy = measure(name, seed, train)
            if accuracy is not None:
                print(f"{name:14} {seed:3} " + " ".join(f"{value:.4f}" for value in accuracy.pairs), flush=True)


if __name__ == "__main__":
    main()
