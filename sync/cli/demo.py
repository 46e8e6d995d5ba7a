"""``kehu demo``: an example company, from its systems to one list of customers."""

from __future__ import annotations

import typer

app = typer.Typer()


def demo(context: typer.Context) -> None:
    """Placeholder while the example is generated elsewhere."""
