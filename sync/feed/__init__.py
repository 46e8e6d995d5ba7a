"""The change feed as consumers see it: events, tokens, the snapshot they start from, and how long changes are kept."""
