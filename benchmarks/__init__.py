"""Measurements: speed and memory against a floor and a peer in the same run. Run with ``make bench``."""
