"""Finding customers by any part of a name, by email, phone or identifier: an index that follows the change feed.

The index is a consumer of the change feed like any other: it costs RESOLVE nothing, and is behind by what
``index.behind`` says. Whoever asks first, or the maintenance loop, brings it up to date.
"""
