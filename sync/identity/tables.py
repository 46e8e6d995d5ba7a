"""The tables of users, sessions, API keys, one-time links, and of the throttle of sign-ins."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from sync.database import UtcDateTime, metadata

user_account = Table(
    "user_account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True, comment="in small letters; how the user signs in"),
    Column("role", String(20), nullable=False),
    Column("password_hash", Text, comment="argon2id in PHC form; null: no password was set"),
    Column("issuer", Text, comment="single sign-on: whose subject this is"),
    Column("subject", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("signed_in_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Index("uq_user_account_subject", "issuer", "subject", unique=True),
)

user_session = Table(
    "user_session",
    metadata,
    Column("id", LargeBinary, primary_key=True, comment="SHA-256 of the cookie's value"),
    Column("user_id", Integer, ForeignKey("user_account.id"), nullable=False, index=True),
    Column("way", String(20), nullable=False, comment="password, link or sso"),
    Column("address", String(60), nullable=False),
    Column("agent", String(300), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(20), primary_key=True, comment="the public part of the key"),
    Column("name", String(120), nullable=False),
    Column("hash", LargeBinary, nullable=False, comment="SHA-256 of the whole key, which has 256 random bits"),
    Column("user_id", Integer, ForeignKey("user_account.id"), nullable=False, index=True),
    Column("scopes", Text, nullable=False, comment="JSON list of permissions"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("used_at", UtcDateTime, comment="to the hour"),
    Column("revoked_at", UtcDateTime),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256 of the link's token"),
    Column("user_id", Integer, ForeignKey("user_account.id"), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
)

sign_in_throttle = Table(
    "sign_in_throttle",
    metadata,
    Column("subject", String(200), primary_key=True, comment="account:NAME or address:IP"),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
