"""The address guard: which machines a connection may talk to (protection against server-side request forgery).

A host name is resolved once, *every* address it resolves to is checked, and exactly a checked address is dialled, so
that a name which resolves differently a moment later (DNS rebinding) gains nothing. Only public unicast addresses
pass; others need an entry in the connection's ``allow_private`` list, which is written by an administrator.

An entry is an address or network (``10.1.2.0/24``), a host name (``erp.local``), or either with a port
(``erp.local:8069``, ``[::1]:8080``). Link-local addresses (169.254.169.254, the metadata service of clouds) are let
through by an address entry only, never because a host name is allowed.

Spellings such as ``127.1``, ``0x7f000001`` or ``2130706433`` need no parsing of our own: the resolver turns them into
addresses, and addresses are what is checked. Addresses that carry another one inside (IPv4-mapped ``::ffff:a.b.c.d``,
6to4, Teredo, NAT64) are judged by the inner one as well.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from connectors.errors import AddressRefused, BadConfiguration, RetryLater

Address = IPv4Address | IPv6Address
Resolver = Callable[..., Iterable[tuple[Any, ...]]]
"""Has the signature of ``socket.getaddrinfo``."""

SocketOptions = Iterable[tuple[int, int, int | bytes]]

_NAT64 = ip_network("64:ff9b::/96")
_NEVER_GLOBAL = tuple(
    ip_network(n)
    for n in ("0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
              "::/96", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "fc00::/7", "fe80::/10", "fec0::/10")
)  # fmt: skip
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """One checked address, ready to be dialled."""

    family: int
    address: str
    port: int
    flow: tuple[str | int, ...]


class Allowed:
    """The parsed ``allow_private`` list of one connection. Raises ``BadConfiguration`` for an entry nobody can mean."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._networks: list[tuple[IPv4Network | IPv6Network, int | None]] = []
        self._hosts: set[tuple[str, int | None]] = set()
        for entry in entries:
            self._add(entry.strip())

    def _add(self, entry: str) -> None:
        host, port = _split_port(entry)
        try:
            self._networks.append((ip_network(host, strict=False), port))
        except ValueError:
            if not host or "/" in host or any(c.isspace() for c in host):
                raise BadConfiguration(
                    "`{entry}` in allow_private is neither an address, a network nor a host name.",
                    entry=entry,
                    setting="allow_private",
                    remedy="Write e.g. 10.1.2.3, 10.1.0.0/16, erp.local or erp.local:8069.",
                ) from None
            self._hosts.add((host.lower().rstrip("."), port))

    def host(self, host: str, port: int) -> bool:
        """Whether the list names this host, on this or on any port."""
        name = host.lower().rstrip(".")
        return (name, None) in self._hosts or (name, port) in self._hosts

    def address(self, address: Address, port: int) -> bool:
        """Whether the list names this address or a network it lies in."""
        return any(
            address.version == network.version and address in network and only in (None, port)
            for network, only in self._networks
        )


class AddressGuard:
    """Resolves, checks and dials for one connection. Tests replace ``resolver`` (``socket.getaddrinfo``)."""

    def __init__(self, allow_private: Sequence[str] = (), resolver: Resolver | None = None) -> None:
        self._allowed = Allowed(allow_private)
        self._resolver: Resolver = resolver or socket.getaddrinfo

    def targets(self, host: str, port: int) -> list[Target]:
        """Every address of the host, all of them checked.

        Raises ``AddressRefused`` when one of them is forbidden and ``RetryLater`` when the name does not resolve.
        """
        bare = host.strip("[]")
        try:
            found = list(self._resolver(bare, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            raise RetryLater(
                "The name {host} cannot be resolved.",
                host=bare,
                remedy="Check the spelling of the address and this machine's DNS; it is tried again by itself.",
            ) from error
        targets = [Target(family, str(flow[0]), port, flow) for family, _, _, _, flow in found]
        if not targets:
            raise RetryLater("The name {host} has no address.", host=bare)
        for target in targets:
            self._check(bare, port, target.address)
        return targets

    def dial(self, host: str, port: int, timeout: float | None, options: SocketOptions = ()) -> socket.socket:
        """A connected socket to a checked address, trying them in order. Raises ``OSError`` when none answers."""
        last: OSError | None = None
        end = None if timeout is None else time.monotonic() + timeout
        targets = self.targets(host, port)
        for waiting, target in zip(range(len(targets), 0, -1), targets, strict=True):
            # a fair share of the time for each, so that a dead first address leaves some for the second
            share = None if end is None else max(0.001, (end - time.monotonic()) / waiting)
            try:
                return _connect(target, share, options)
            except OSError as error:
                last = error
        raise last or TimeoutError

    def _check(self, host: str, port: int, text: str) -> None:
        address = ip_address(text.partition("%")[0])
        if all(self._passes(host, port, face) for face in _faces(address)):
            return
        raise AddressRefused(
            "The address guard forbids {host}:{port}: it resolves to {address}, which is not a public address.",
            host=host,
            port=port,
            address=text,
            setting="allow_private",
        )

    def _passes(self, host: str, port: int, address: Address) -> bool:
        if is_public(address) or self._allowed.address(address, port):
            return True
        return self._allowed.host(host, port) and not _link_local(address)


def is_public(address: Address) -> bool:
    """Whether this is a unicast address of the public internet."""
    if address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback:
        # NAT64 lies in a range Python calls reserved; its inner address decides
        return address.version == 6 and address in _NAT64
    if any(address.version == network.version and address in network for network in _NEVER_GLOBAL):
        return False
    return address.is_global


def check_address(url: str, allow_private: Sequence[str] = (), resolver: Resolver | None = None) -> None:
    """Check an URL before it is saved: its form, its scheme, its host and every address of the host.

    Raises ``BadConfiguration`` for a URL that cannot be used and ``AddressRefused`` for a forbidden target.
    """
    scheme, host, port = split_origin(url)
    try:
        AddressGuard(allow_private, resolver).targets(host, port)
    except RetryLater as error:
        raise BadConfiguration(
            "The name {host} cannot be resolved.", host=host, scheme=scheme, remedy="Check the spelling of the address."
        ) from error


def split_origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an HTTP URL. Raises ``BadConfiguration`` when it is none or holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadConfiguration("The address is not a valid URL.", setting="base_url") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise BadConfiguration("The address must begin with https:// or http:// and name a host.", setting="base_url")
    if "@" in parts.netloc:
        raise BadConfiguration(
            "The address holds a user name or password.",
            setting="base_url",
            remedy="Take them out of the address and put them into the connection's credentials.",
        )
    return parts.scheme, parts.hostname, port if port is not None else DEFAULT_PORTS[parts.scheme]


def _connect(target: Target, timeout: float | None, options: SocketOptions) -> socket.socket:
    sock = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.settimeout(timeout)
        sock.connect(target.flow)
    except BaseException:
        sock.close()
        raise
    return sock


def _faces(address: Address) -> list[Address]:
    """What has to be judged: the address and those it carries inside (a mapped one is nothing but its inside)."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    faces: list[Address] = [address]
    if address.sixtofour is not None:
        faces.append(address.sixtofour)
    if address.teredo is not None:
        faces.extend(address.teredo)
    if address in _NAT64:
        faces.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return faces


def _link_local(address: Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _split_port(entry: str) -> tuple[str, int | None]:
    """``host:port``, ``[v6]:port``, or either without a port (a bare IPv6 address has more than one colon)."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdigit() else None
    host, colon, port = entry.rpartition(":")
    if colon and ":" not in host and port.isdigit():
        return host, int(port)
    return entry, None
