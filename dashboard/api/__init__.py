"""REST, ``/api/v1``: one router file a resource. ``README`` of the frame: docs/api.md."""
