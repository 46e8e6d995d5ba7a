"""Systems that list records page by page and write them one by one: what their connectors have in common.

``stream`` reads such a list with a cursor, ``numbered`` follows page numbers without losing what moves, ``writing``
finds by a natural key before it creates, ``connector`` binds these to the contract.
"""
