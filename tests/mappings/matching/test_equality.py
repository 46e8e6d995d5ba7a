"""The small version of ``python -m benchmarks.equality``: a model trained by Splink on generated Chinese customers."""

from __future__ import annotations

import pytest

from benchmarks import equality

pytest.importorskip("splink")


@pytest.mark.slow
def test_weights_equal_splinks_on_every_pair_of_a_trained_model() -> None:
    found = equality.compare(equality.made_up(320))
    assert found.pairs >= 50_000
    assert found.worst <= 1e-9
    assert found.worst_in_bulk <= 1e-9
