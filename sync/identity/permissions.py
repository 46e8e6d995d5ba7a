"""Permissions, and the roles that bundle them. An API key's scopes are permissions too: never more than its owner's."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What somebody may be allowed. The value is also the name of the scope of an API key."""

    PUBLIC = "public"
    """Anybody: health, the way in, the stylesheet. Never a scope."""
    SELF = "self"
    """Whoever is signed in: their own session, their own profile. Never a scope: every key has it."""
    VIEW = "overview:read"
    CUSTOMERS_READ = "customers:read"
    PERSONAL_READ = "personal:read"
    """Personal data unmasked."""
    CUSTOMERS_REVEAL = "customers:reveal"
    """Unmask a single field, audited, with a reason."""
    CUSTOMERS_RESOLVE = "customers:resolve"
    CUSTOMERS_ERASE = "customers:erase"
    CHANGES_READ = "changes:read"
    EXPORTS_RUN = "exports:run"
    STEWARDSHIP_READ = "stewardship:read"
    STEWARDSHIP_WRITE = "stewardship:write"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    QUARANTINE_READ = "quarantine:read"
    QUARANTINE_WRITE = "quarantine:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"


class Role(StrEnum):
    """What a user is to the company."""

    ADMIN = "admin"
    OPERATOR = "operator"
    STEWARD = "steward"
    INTEGRATOR = "integrator"
    SERVICE = "service"
    VIEWER = "viewer"


SCOPES = frozenset(Permission) - {Permission.PUBLIC, Permission.SELF}
"""What an API key may be given."""

_VIEWER = frozenset(
    {
        Permission.SELF,
        Permission.VIEW,
        Permission.CUSTOMERS_READ,
        Permission.CHANGES_READ,
        Permission.STEWARDSHIP_READ,
        Permission.CONNECTIONS_READ,
        Permission.RUNS_READ,
        Permission.QUARANTINE_READ,
    }
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.STEWARD: _VIEWER
    | {
        Permission.PERSONAL_READ,
        Permission.CUSTOMERS_REVEAL,
        Permission.CUSTOMERS_RESOLVE,
        Permission.STEWARDSHIP_WRITE,
        Permission.QUARANTINE_WRITE,
    },
    Role.OPERATOR: _VIEWER
    | {
        Permission.CUSTOMERS_REVEAL,
        Permission.CONNECTIONS_WRITE,
        Permission.RUNS_WRITE,
        Permission.QUARANTINE_WRITE,
        Permission.WEBHOOKS_READ,
        Permission.METRICS_READ,
    },
    Role.SERVICE: frozenset({Permission.SELF, Permission.VIEW, Permission.CUSTOMERS_READ, Permission.CUSTOMERS_REVEAL}),
    Role.INTEGRATOR: frozenset(
        {
            Permission.SELF,
            Permission.VIEW,
            Permission.CUSTOMERS_READ,
            Permission.PERSONAL_READ,
            Permission.CUSTOMERS_RESOLVE,
            Permission.CHANGES_READ,
            Permission.EXPORTS_RUN,
            Permission.CONNECTIONS_READ,
            Permission.RUNS_READ,
            Permission.WEBHOOKS_READ,
            Permission.WEBHOOKS_WRITE,
            Permission.KEYS_READ,
            Permission.KEYS_WRITE,
        }
    ),
    Role.ADMIN: frozenset(Permission) - {Permission.PUBLIC},
}
"""What each role may do."""
