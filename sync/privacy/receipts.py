"""Receipts: what was erased, when and by whom, signed by Ed25519 (RFC 8032), without personal data."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from sync.errors import Misused
from sync.privacy.sealing import RECEIPTS, public_bytes, receipts_key
from sync.privacy.tables import erasure_key
from sync.vault import Vault

if TYPE_CHECKING:
    from sync.privacy.erasing import Erasure

KIND = "kehu erasure receipt 1"


def issue(connection: Connection, vault: Vault, done: Erasure) -> dict[str, Any]:
    """The receipt of an erasure that is done."""
    key = receipts_key(connection, vault)
    said = {
        "kind": KIND,
        "erasure": done.id,
        "customer": done.customer,
        "requested_by": done.requested_by,
        "requested_at": done.requested_at.isoformat(),
        "finished_at": None if done.finished_at is None else done.finished_at.isoformat(),
        "erased": done.counts,
        "public_key": base64.b64encode(public_bytes(key)).decode(),
    }
    return {**said, "signature": base64.b64encode(key.sign(_canonical(said))).decode()}


def verify(connection: Connection, receipt: dict[str, Any]) -> bool:
    """Whether a receipt was issued by this master and not changed since. Raises Misused for what is no receipt."""
    public = connection.execute(select(erasure_key.c.public).where(erasure_key.c.name == RECEIPTS)).scalar_one_or_none()
    try:
        signature = base64.b64decode(receipt["signature"], validate=True)
        said = _canonical({name: value for name, value in receipt.items() if name != "signature"})
    except (KeyError, TypeError, ValueError):
        raise Misused("This is no receipt of an erasure.", remedy="Send the JSON as it was issued.") from None
    if public is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes(public)).verify(signature, said)
    except InvalidSignature:
        return False
    return True


def _canonical(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
