"""A real IMAP server (Dovecot) with mailboxes that tests fill file by file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.processes import (
    LOOPBACK,
    NOBODY,
    Process,
    accepts_connections,
    free_port,
    own,
    run_folder,
    unprivileged_user,
)
from tests.systems.installing import Unavailable, installed, run

PASSWORD = "correct-horse-battery"
TOKEN_KEY = b"a-signing-key-of-this-test-0123456789"
PACKAGES = ("dovecot-core", "dovecot-imapd")
CONFIGURATION = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
{libexec}
listen = 127.0.0.1, 127.0.0.2
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
auth_cache_size = 0
mail_location = maildir:{folder}/mail/%u
mail_max_userip_connections = 50
mail_uid = {uid}
mail_gid = {gid}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox 已发送 {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = email
"""
_serial = itertools.count(1)


@dataclass
class Mailbox:
    """One user's mailbox. Its files are written and removed as a mail server of old would: INBOX and folders."""

    user: str
    root: Path
    uid: int | None
    password: str = PASSWORD
    delivered: dict[str, Path] = field(default_factory=dict)

    def deliver(self, message: bytes, folder: str = "", at: datetime | None = None) -> str:
        """Put one message into a folder ("" is the inbox); its file name. ``at`` becomes its arrival time."""
        when = (at or datetime.now(UTC)).timestamp()
        place = self.folder(folder)
        name = f"{int(when)}.M{next(_serial):09d}P1.test"
        path = place / "new" / name
        temporary = place / "tmp" / name
        temporary.write_bytes(message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        os.utime(temporary, (when, when))
        own(temporary, self.uid)
        temporary.rename(path)
        self.delivered[name] = place
        return name

    def remove(self, name: str) -> None:
        """Delete a delivered message."""
        for path in self.delivered.pop(name).glob(f"*/{name}*"):
            path.unlink()

    def flags(self) -> dict[str, str]:
        """The flags of every delivered message ("S" is seen); "" for those that are still new."""
        found = {}
        for name, place in self.delivered.items():
            (path,) = place.glob(f"*/{name}*")
            found[name] = path.name.partition(":2,")[2]
        return found

    def folder(self, name: str) -> Path:
        """The Maildir of a folder, made if it is not there. ``name`` is given as IMAP encodes it."""
        place = self.root / f".{name}" if name else self.root
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for path in (self.root, place, place / "cur", place / "new", place / "tmp"):
            if self.uid is not None:
                os.chown(path, self.uid, self.uid)
        return place

    def renumber(self, folder: str = "") -> None:
        """Forget all UIDs, so that the folder gets a new UIDVALIDITY, as after a restored backup."""
        time.sleep(1.1)  # the new validity is made of seconds
        for path in self.folder(folder).glob("dovecot*"):
            path.unlink()


@dataclass(frozen=True)
class Dovecot:
    """A running server: two ports on loopback, the certificate to trust, any user with ``PASSWORD``."""

    plain_port: int
    tls_port: int
    certificate: Path
    folder: Path
    process: Process
    host: str = LOOPBACK

    def mailbox(self, user: str) -> Mailbox:
        """The mailbox of a user, e.g. ``sales@example.com``; empty unless it was used before."""
        mailbox = Mailbox(user, self.folder / "mail" / user, unprivileged_user())
        mailbox.folder("")
        return mailbox

    def access_token(self, user: str, seconds: float = 600) -> str:
        """An OAuth2 access token for a user, valid for ``seconds``."""
        now = int(time.time())
        header = {"alg": "HS256", "typ": "JWT", "kid": "default"}
        claims = {"email": user, "sub": user, "iat": now - 60, "exp": now + int(seconds), "scope": "imap"}
        body = ".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
        return f"{body}.{_segment(hmac.digest(TOKEN_KEY, body.encode(), hashlib.sha256))}"


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """An IMAP server of this caller's own without any mail; raises ``Unavailable``."""
    root = _software()
    user = unprivileged_user()
    folder = run_folder("dovecot")
    folder.chmod(0o755)
    plain, tls = free_port(), free_port()
    _write_files(folder, root, plain, tls)
    own(folder, user)
    command: list[str | Path] = [root / "usr/sbin/dovecot", "-F", "-c", folder / "dovecot.conf"]
    process = Process(command, folder / "output.log", user=user, env=_environment(root), death_signal=15, cwd=folder)
    try:
        process.start(lambda: accepts_connections(plain) and accepts_connections(tls), timeout=30)
        yield Dovecot(plain, tls, folder / "cert.pem", folder, process)
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _software() -> Path:
    """The root of the file system that holds Dovecot: the machine's, or a folder of the cache."""
    if Path("/usr/sbin/dovecot").exists() and Path("/usr/lib/dovecot/imap").exists():
        return Path("/")
    if shutil.which("apt-get") is None:
        raise Unavailable("Dovecot is not installed, and this is no Debian that could fetch it")
    if os.geteuid() == 0:
        run("apt-get", "update", "-qq")
        run(
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            *PACKAGES,
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
        return Path("/")
    return installed("dovecot-debian", _unpack)


def _unpack(folder: Path) -> None:
    """Fetch Dovecot's packages and the libraries this machine lacks, and unpack them without installing."""
    listed = run("apt-get", "install", "--print-uris", "-y", "-qq", "--no-install-recommends", *PACKAGES)
    names = {line.split()[1].split("_")[0] for line in listed.splitlines() if line.startswith("'")}
    run("apt-get", "download", *sorted(names | set(PACKAGES)), cwd=folder)
    for package in folder.glob("*.deb"):
        run("dpkg", "-x", package, folder)


def _environment(root: Path) -> dict[str, str]:
    libraries = [root / "usr/lib/dovecot", *root.glob("usr/lib/*-linux-gnu")] if root != Path("/") else []
    return {"PATH": os.environ.get("PATH", os.defpath), "LD_LIBRARY_PATH": ":".join(map(str, libraries))}


def _write_files(folder: Path, root: Path, plain: int, tls: int) -> None:
    user, uid, gid = _names()
    libexec = (
        ""
        if root == Path("/")
        else (f"libexec_dir = {root}/usr/lib/dovecot\nmail_plugin_dir = {root}/usr/lib/dovecot/modules")
    )
    text = CONFIGURATION.format(
        folder=folder, user=user[0], group=user[1], uid=uid, gid=gid, plain=plain, tls=tls,
        libexec=libexec, password=PASSWORD,
    )  # fmt: skip
    (folder / "dovecot.conf").write_text(text)
    (folder / "oauth2.conf").write_text(OAUTH2.format(folder=folder))
    keys = folder / "keys" / "default" / "HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_text(base64.b64encode(TOKEN_KEY).decode())
    (folder / "mail").mkdir()
    _write_certificate(folder)


def _names() -> tuple[tuple[str, str], int, int]:
    """User and group names and numbers that the server runs as."""
    import grp
    import pwd

    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    gid = NOBODY if os.geteuid() == 0 else os.getegid()
    return (pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name), uid, gid


def _write_certificate(folder: Path) -> None:
    """A self-signed certificate for localhost and 127.0.0.1, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(0o600)


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
