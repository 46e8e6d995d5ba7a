"""Webhooks out: who is told of which changes, and telling them, in order and at least once."""
