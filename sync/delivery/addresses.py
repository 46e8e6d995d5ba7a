"""Where webhooks may be sent: public addresses over https; others only where kehu.yaml allows them.

Checked when an endpoint is saved, and again each time it is dialled, against exactly the addresses that are dialled: a
name that resolves differently later gains nothing. Redirects are never followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from connectors.errors import AddressRefused, BadConfiguration
from connectors.guard import AddressGuard, Resolver, Target, check_address, is_public, split_origin
from connectors.redaction import mask_url
from sync.errors import Misused

LONGEST = 2_000
_REMEDY = "If the receiver really stands in your own network, an administrator adds it to `webhooks: allow_private:`."


class HttpGuard(AddressGuard):
    """The guard of plain http: never over the public internet."""

    def targets(self, host: str, port: int) -> list[Target]:
        """The checked addresses. Raises AddressRefused for a public one."""
        found = super().targets(host, port)
        if any(is_public(ip_address(one.address.partition("%")[0])) for one in found):
            raise AddressRefused("Webhooks go over the public internet by https only.", remedy="Use https.")
        return found


def shown(url: str) -> str:
    """The address for logs: without user, password, and what looks like a secret."""
    return mask_url(url)


def guard(url: str, allow_private: Sequence[str], resolver: Resolver | None = None) -> AddressGuard:
    """The guard that dials an endpoint. Raises BadConfiguration for an address that is none."""
    scheme, _, _ = split_origin(url)
    return (HttpGuard if scheme == "http" else AddressGuard)(allow_private, resolver)


def check(url: str, allow_private: Sequence[str], resolver: Resolver | None = None) -> str:
    """The address, after checking it before it is saved. Raises Misused."""
    text = url.strip()
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > LONGEST or "#" in text:
        raise Misused("The address is not a valid URL.", remedy="Write it like https://shop.example/hooks.")
    try:
        check_address(text, allow_private, resolver)
        scheme, host, port = split_origin(text)
        if scheme == "http":
            guard(text, allow_private, resolver).targets(host, port)
    except AddressRefused as error:
        remedy = error.remedy if error.remedy != AddressRefused.default_remedy else _REMEDY
        raise Misused(error.template, remedy=remedy, **error.params) from None
    except BadConfiguration as error:
        remedy = "Write it like https://shop.example/hooks."
        raise Misused(error.template, remedy=remedy, **error.params) from None
    return text
