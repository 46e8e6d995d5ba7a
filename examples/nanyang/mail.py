"""The sales mailbox: one file per message, in the folders that the IMAP server (``imap_server``) offers."""

from __future__ import annotations

from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from pathlib import Path
from random import Random

from examples.nanyang import noise
from examples.nanyang.clock import moment
from examples.nanyang.truth import Sighting
from examples.nanyang.world import Person, World

FOLDER = "mail"
OURS = "sales@nanyang.example"
KNOWN = 0.55
SUBJECTS = ("询价单", "Inquiry", "报价请确认", "Re: quotation", "发货时间", "样品", "Invoice", "合同盖章件")
ENCODINGS = ("utf-8", "utf-8", "gb2312", "gb18030", "big5")


class Mail:
    """Writes the messages and remembers who is who: the mailbox knows people by their address."""

    def __init__(self, seed: int, world: World) -> None:
        self._rng = Random(f"nanyang:{seed}:mail")
        self._world = world
        self._messages: list[tuple[datetime, str, bytes]] = []
        self.sightings: list[Sighting] = []

    def write(self, folder: Path) -> None:
        """Write INBOX and Sent, messages numbered in the order in which they came."""
        known: set[str] = set()
        for person in self._world.persons:
            if self._rng.random() < KNOWN:
                self._conversation(person, known)
        self._junk()
        for name in ("INBOX", "Sent"):
            target = folder / FOLDER / name
            target.mkdir(parents=True, exist_ok=True)
            for old in target.glob("*.eml"):
                old.unlink()
            messages = sorted((when, data) for when, box, data in self._messages if box == name)
            for number, (_, data) in enumerate(messages, 1):
                (target / f"{number:05d}.eml").write_bytes(data)

    def _conversation(self, person: Person, known: set[str]) -> None:
        rng = self._rng
        for address in filter(None, (person.old_email, person.email)):
            if address not in known and not person.household:  # a shared address is nobody's alone
                known.add(address)
                self.sightings.append(Sighting("mailbox", "contacts", address.lower(), "", person.id))
            for _ in range(rng.choice((1, 1, 2))):
                self._message("INBOX", (noise.person_name(rng, person, latin=0.4), address), ("南洋贸易", OURS))
            if rng.random() < 0.3:
                self._message("Sent", ("南洋贸易", OURS), ("", address))

    def _message(self, box: str, sender: tuple[str, str], to: tuple[str, str], extra: str = "") -> None:
        rng = self._rng
        when = moment(rng, days=600)
        charset = rng.choice(ENCODINGS)
        lines = [
            f"From: {self._address(sender, charset)}",
            f"To: {self._address(to, 'utf-8')}",
            f"Subject: {_encoded(rng.choice(SUBJECTS), charset)}",
            f"Date: {format_datetime(when)}",
            f"Message-ID: <{rng.getrandbits(64):016x}@{sender[1].rpartition('@')[2]}>",
        ]
        head = "\r\n".join(lines) + "\r\n" + extra
        body = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n您好 / Hello\r\n'
        self._messages.append((when, box, (head + body).encode()))

    def _address(self, address: tuple[str, str], charset: str) -> str:
        name, email = address
        return f"{_encoded(name, charset)} <{email}>" if name else email

    def _junk(self) -> None:
        """What nobody wants as a customer: newsletters, bounces, a robot, and a header in raw bytes."""
        for number in range(6):
            self._message("INBOX", ("Daily Deals", f"news{number}@deals.example"), ("", OURS), "Precedence: bulk\r\n")
        self._message("INBOX", ("Mail Delivery System", "mailer-daemon@mx.example"), ("", OURS))
        self._message("INBOX", ("", "no-reply@bank.example"), ("", OURS), "Auto-Submitted: auto-generated\r\n")
        raw = "From: 老客户 <raw@deals.example>\r\nSubject: 你好\r\nPrecedence: bulk\r\n\r\n".encode("gbk")
        self._messages.append((moment(self._rng), "INBOX", raw))  # and no date


def _encoded(text: str, charset: str) -> str:
    """A header's text as an encoded word (RFC 2047) where it is not ASCII, in a character set that can hold it."""
    if text.isascii():
        return text
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    return Header(text, charset, maxlinelen=500).encode()
