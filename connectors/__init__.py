"""The outside world: one plugin per system, no database, nothing above this package imported."""
