"""Where one can go: one list for the menu, the palette, the keyboard and the help."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import Request

from sync.identity.permissions import Permission
from sync.identity.principals import Principal
from sync.language import Phrase


class Place(NamedTuple):
    """A page of the menu. ``letter``: what follows ``g`` on the keyboard."""

    address: str
    label: Phrase
    letter: str
    permission: Permission


class Group(NamedTuple):
    """Places that belong together, under a heading."""

    heading: Phrase
    places: tuple[Place, ...]


MENU = (
    Group(
        Phrase("Operations"),
        (
            Place("/", Phrase("Overview"), "o", Permission.VIEW),
            Place("/connections", Phrase("Connections"), "n", Permission.CONNECTIONS_READ),
            Place("/runs", Phrase("Runs"), "r", Permission.RUNS_READ),
            Place("/quarantine", Phrase("Quarantine"), "q", Permission.QUARANTINE_READ),
            Place("/mappings", Phrase("Mappings"), "m", Permission.CONNECTIONS_READ),
        ),
    ),
    Group(
        Phrase("Customer master"),
        (
            Place("/customers", Phrase("Customers"), "c", Permission.CUSTOMERS_READ),
            Place("/duplicates", Phrase("Duplicates"), "d", Permission.STEWARDSHIP_READ),
            Place("/matching", Phrase("Match quality"), "t", Permission.STEWARDSHIP_READ),
        ),
    ),
    Group(
        Phrase("Distribution"),
        (
            Place("/changes", Phrase("Change feed"), "f", Permission.CHANGES_READ),
            Place("/webhooks", Phrase("Webhooks"), "w", Permission.WEBHOOKS_READ),
            Place("/exports", Phrase("Exports"), "e", Permission.EXPORTS_RUN),
        ),
    ),
    Group(
        Phrase("Administration"),
        (
            Place("/keys", Phrase("API keys"), "k", Permission.KEYS_READ),
            Place("/users", Phrase("Users"), "u", Permission.USERS_READ),
            Place("/audit", Phrase("Audit log"), "a", Permission.AUDIT_READ),
            Place("/settings", Phrase("Settings"), "s", Permission.CONNECTIONS_WRITE),
        ),
    ),
)


def menu(request: Request, visitor: Principal | None) -> list[Group]:
    """The pages that there are and that the visitor may see, by group."""
    if visitor is None:
        return []
    there = _addresses(request)
    groups = [
        Group(group.heading, tuple(p for p in group.places if p.address in there and visitor.may(p.permission)))
        for group in MENU
    ]
    return [group for group in groups if group.places]


def is_current(place: Place, path: str) -> bool:
    """Whether a path is the place or below it."""
    return path == place.address or (place.address != "/" and path.startswith(f"{place.address}/"))


def _addresses(request: Request) -> frozenset[str]:
    state = request.app.state
    if not hasattr(state, "addresses"):
        state.addresses = frozenset(getattr(route, "path", "") for route in request.app.routes)
    found: frozenset[str] = state.addresses
    return found
