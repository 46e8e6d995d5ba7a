from __future__ import annotations

import datetime as dt
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Context
from connectors.errors import AddressRefused, BadConfiguration, RetryLater
from connectors.guard import AddressGuard, Allowed, check_address, is_public
from connectors.http import Client, Retries
from tests.faults import FaultServer, Resolver, ok, redirect

PUBLIC = "93.184.216.34"
QUICK = Retries(tries=1)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.on("/x", ok({"hello": 1}))
        yield running


def client(server: FaultServer, *allow: str, **options: object) -> Client:
    options = {"timeout": (1, 1), "retries": QUICK} | options
    return Client(Context("shop", allow_private=allow), server.url, **options)  # type: ignore[arg-type]


FORBIDDEN = [
    "127.0.0.1", "127.1", "127.0.0.2", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "localhost",
    "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "100.127.255.254", "169.254.169.254", "224.0.0.1",
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]", "[ff02::1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:0:7f00:1::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_address(f"http://{host}:8080/api")
    assert refused.value.setting == "allow_private"
    assert "allow_private" in refused.value.remedy


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_passes(address: str) -> None:
    check_address("https://api.example.com/", resolver=Resolver(api_example_com=[[address]]))


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    resolver = Resolver(mixed_example_com=[[PUBLIC, "10.0.0.7"]])
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.7"):
        check_address("https://mixed.example.com/", resolver=resolver)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://example.com/", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("https:///path", "begin with https"),
        ("https://example.com:99999/", "not a valid URL"),
        ("https://user:pw@example.com/", "user name or password"),
        ("https://nowhere.example.com/", "cannot be resolved"),
    ],
)
def test_a_useless_url_is_refused_when_it_is_saved(url: str, problem: str) -> None:
    with pytest.raises(BadConfiguration, match=problem) as refused:
        check_address(url, resolver=Resolver())
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "passes"),
    [
        ("127.0.0.1", True),
        ("127.0.0.0/8", True),
        ("127.0.0.1:8080", True),
        ("127.0.0.1:8081", False),
        ("erp.local", True),
        ("ERP.local.", True),
        ("erp.local:8080", True),
        ("erp.local:81", False),
        ("other.local", False),
        ("10.0.0.0/8", False),
        ("::1", False),
    ],
)
def test_the_allow_list_lets_through_what_it_names_and_nothing_else(entry: str, passes: bool) -> None:
    guard = AddressGuard([entry], Resolver(erp_local=[["127.0.0.1"]]))
    if passes:
        assert guard.targets("erp.local", 8080)[0].address == "127.0.0.1"
    else:
        with pytest.raises(AddressRefused):
            guard.targets("erp.local", 8080)


def test_an_allowed_name_does_not_open_the_metadata_service() -> None:
    resolver = Resolver(erp_local=[["169.254.169.254"]])
    with pytest.raises(AddressRefused):
        AddressGuard(["erp.local"], resolver).targets("erp.local", 80)
    assert AddressGuard(["169.254.169.254"], resolver).targets("erp.local", 80)


@pytest.mark.parametrize("entry", ["", "10.0.0.0/99", "two words", "http://erp.local/"])
def test_a_senseless_entry_of_the_allow_list_is_named(entry: str) -> None:
    with pytest.raises(BadConfiguration, match="allow_private"):
        Allowed([entry])


@given(st.ip_addresses())
def test_whatever_python_calls_not_global_is_not_public(address) -> None:
    if not address.is_global and getattr(address, "ipv4_mapped", None) is None:
        assert not is_public(address) or str(address).startswith("64:ff9b::")


def test_loopback_needs_an_entry_and_works_with_one(server: FaultServer) -> None:
    with pytest.raises(AddressRefused):
        client(server).get("x")
    assert server.calls == []
    assert client(server, f"127.0.0.1:{server.port}").get("x").json() == {"hello": 1}


def test_a_name_that_resolves_differently_a_moment_later_gains_nothing(server: FaultServer) -> None:
    """DNS rebinding: the first answer is public, every later one is loopback, where a server is listening."""
    resolver = Resolver(evil_example_com=[["192.0.2.1"], ["127.0.0.1"]])
    guard = AddressGuard(["192.0.2.1"], resolver)
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the network
        guard.dial("evil.example.com", server.port, 0.2).close()
    assert resolver.asked == ["evil.example.com"], "the checked address is dialled, the name is not asked again"
    with pytest.raises(AddressRefused):
        guard.dial("evil.example.com", server.port, 0.2)
    assert server.calls == []


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/x", "http://[::ffff:127.0.0.1]:{port}/x", "http://0x7f.1:{port}/x"]
)
def test_a_redirect_to_a_private_address_is_refused(server: FaultServer, target: str) -> None:
    with FaultServer() as outside:
        outside.on("/x", redirect(target.format(port=server.port)))
        with pytest.raises(AddressRefused):
            client(outside, f"127.0.0.1:{outside.port}").get("x")
    assert server.calls == []


def test_a_dead_first_address_leaves_time_for_the_second(server: FaultServer) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.2", server.port))
        dead.listen(0)
        full = [socket.socket() for _ in range(4)]  # its queue is full: further connections are left hanging
        for sock in full:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.2", server.port))
        resolver = Resolver(erp_local=[["127.0.0.2", "127.0.0.1"]])
        shop = Client(
            Context("erp", allow_private=["erp.local"]), f"http://erp.local:{server.port}",
            resolver=resolver, timeout=(0.6, 1), retries=QUICK,
        )  # fmt: skip
        started = time.monotonic()
        assert shop.get("x").json() == {"hello": 1}
        assert time.monotonic() - started > 0.25
        for sock in full:
            sock.close()


def test_the_host_header_stays_the_name(server: FaultServer) -> None:
    resolver = Resolver(erp_local=[["127.0.0.1"]])
    context = Context("erp", allow_private=["erp.local"])
    Client(context, f"http://erp.local:{server.port}", resolver=resolver).get("x")
    assert server.calls[0].headers["Host"] == f"erp.local:{server.port}"


def test_a_name_that_does_not_resolve_is_tried_again_later() -> None:
    with pytest.raises(RetryLater, match=r"gone\.example\.com cannot be resolved"):
        Client(Context("x"), "https://gone.example.com", resolver=Resolver(), retries=QUICK).get("x")


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[FaultServer, Path, list[str]]]:
    """An HTTPS server for erp.example.com, its authority's bundle, and the TLS names it was asked for."""
    cert, key = certificate(tmp_path, "erp.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    names: list[str] = []
    context.sni_callback = lambda sock, name, ctx: names.append(name or "")
    with FaultServer(context) as server:
        server.on("/x", ok({"hello": "tls"}))
        yield server, cert, names


def https(server: FaultServer, host: str, bundle: Path | None) -> Client:
    resolver = Resolver(**{host.replace(".", "_"): [["127.0.0.1"]]})
    context = Context("erp", allow_private=["127.0.0.1"])
    url = f"https://{host}:{server.port}"
    return Client(context, url, resolver=resolver, ca_bundle=bundle, timeout=(1, 1), retries=QUICK)


def test_tls_is_checked_against_the_name_though_the_address_is_dialled(tls) -> None:
    server, bundle, names = tls
    assert https(server, "erp.example.com", bundle).get("x").json() == {"hello": "tls"}
    assert names == ["erp.example.com"]


@pytest.mark.parametrize(("host", "trusted"), [("other.example.com", True), ("erp.example.com", False)])
def test_a_wrong_name_or_an_unknown_authority_is_not_trusted(tls, host: str, trusted: bool) -> None:
    server, bundle, _ = tls
    with pytest.raises(BadConfiguration, match="certificate"):
        https(server, host, bundle if trusted else None).get("x")
    assert server.calls == []


def test_https_is_never_left_by_a_redirect(tls) -> None:
    server, bundle, _ = tls
    server.on("/x", redirect("http://erp.example.com/x"))
    with pytest.raises(BadConfiguration, match="unencrypted"):
        https(server, "erp.example.com", bundle).get("x")
