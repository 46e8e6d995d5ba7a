"""Writing customers by ``customerSet``: an upsert by email, phone or a metafield of ours; updates send what differs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken, WriteConflict
from connectors.graphql import GraphQL
from connectors.incremental import parse_stamp
from connectors.rest.slicing import find
from connectors.shopify.documents import SET, one
from connectors.writing import RecordWriter, differing, ensure_seen, missing

_TAKEN = "already been taken"
_CONSENT = frozenset({"emailMarketingConsent", "smsMarketingConsent"})


class CustomerWriter(RecordWriter):
    """Writes customers as ``CustomerSetInput`` has them. ``external_id`` is namespace and key of our metafield."""

    def __init__(self, graph: GraphQL, selection: str, external_id: str | None) -> None:
        self._graph, self._one, self._external = graph, one(selection), external_id

    def _create(self, write: Write) -> WriteResult:
        body = _accepted(write.body)
        return self._set(body, self._identifier(write, body))

    def _identifier(self, write: Write, body: Mapping[str, Any]) -> dict[str, Any]:
        """By what an existing customer is found, so that the same write sent again meets its own."""
        if self._external is not None:
            namespace, key = self._external.split(".")
            return {"customId": {"namespace": namespace, "key": key, "value": write.idempotency_key}}
        for name in ("email", "phone"):
            if body.get(name):
                return {name: body[name]}
        raise RecordRejected(
            "A new customer of Shopify needs an email address or a phone number, by which it is found again.",
            path="email",
            rule="required",
        )

    def _update(self, write: Write, key: str) -> WriteResult:
        there = self._graph.ask(self._one, {"id": key}).data.get("customer")
        if not isinstance(there, dict):
            raise missing("customer", key)
        changed = differing(_accepted(write.body), _writable(there))
        if not changed:  # an earlier try of this very write may have been heard, though its answer was lost
            return WriteResult(key)
        ensure_seen(write, key=key, etag=None, stamp=parse_stamp(there.get("updatedAt")))
        return self._set(changed, {"id": key})

    def _set(self, body: Mapping[str, Any], identifier: Mapping[str, Any]) -> WriteResult:
        reply = self._graph.ask(SET, {"input": body, "identifier": identifier}, read=False)
        answer = reply.data.get("customerSet") or {}
        errors = answer.get("userErrors")
        if errors:
            raise self._refusal(errors)
        key = find(answer, "customer.id")
        if not isinstance(key, str):
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._graph.http.connection
            )
        return WriteResult(key, created="id" not in identifier and self._new(reply.response, answer["customer"]))

    def _new(self, response: Any, customer: Mapping[str, Any]) -> bool:
        """Whether the customer was created by this very call: its stamp is not older than the call."""
        stamp = parse_stamp(customer.get("createdAt"))
        now = response.date or self._graph.http.context.now()
        return stamp is not None and stamp >= now - timedelta(seconds=response.elapsed + 1)

    def _refusal(self, errors: list[Mapping[str, Any]]) -> RecordRejected:
        first = errors[0]
        reason = " ".join(str(error.get("message", "")) for error in errors)
        taken = any(error.get("code") == "TAKEN" or _TAKEN in str(error.get("message", "")) for error in errors)
        kind = WriteConflict if taken else RecordRejected
        return kind(
            "{connection}: Shopify refused the customer: {reason}",
            connection=self._graph.http.connection,
            reason=self._graph.http.redactor.text(reason)[:300],
            path=".".join(str(step) for step in first.get("field") or ()),
        )


def _accepted(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to write; raises for consents, which Shopify takes only by calls of their own."""
    refused = sorted(_CONSENT & set(body))
    if refused:
        raise RecordRejected(
            "The consent {path} of a customer of Shopify is not written by this connector.",
            remedy="Leave the field out of the mapping that is written.",
            path=refused[0],
        )
    return {name: value for name, value in body.items() if name != "id"}


def _writable(there: Mapping[str, Any]) -> dict[str, Any]:
    """The customer as it would be written, for comparison; addresses have more fields than are written, so not them."""
    flat = {name: there.get(name) for name in ("firstName", "lastName", "note", "tags", "taxExempt", "locale")}
    email, phone = find(there, "defaultEmailAddress.emailAddress"), find(there, "defaultPhoneNumber.phoneNumber")
    return {**flat, "email": email, "phone": phone}
