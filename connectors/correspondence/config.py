"""Settings that say who counts as a contact: the same for every connector to mail."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

NEVER_CONTACTS = [
    "*no-reply*@*", "*noreply*@*", "*do-not-reply*@*", "*donotreply*@*", "mailer-daemon@*", "postmaster@*",
    "bounce@*", "bounces@*", "bounce+*@*", "bounces+*@*", "*-bounces@*", "bounce-*@*", "*+caf_=*@*",
]  # fmt: skip
"""Addresses behind which nobody reads, by default."""

OwnAddresses = Annotated[
    list[str],
    Field(
        default_factory=list,
        description="Further addresses of this mailbox; mail from them counts as sent by us",
        json_schema_extra={"zh": "本邮箱的其他地址；由它们发出的邮件算作我方发出"},
    ),
]
OwnDomains = Annotated[
    list[str],
    Field(
        default_factory=list,
        description="Domains of your company; addresses in them are colleagues, not contacts",
        json_schema_extra={"zh": "本公司的域名；其中的地址是同事，不是联系人"},
    ),
]
ExcludedAddresses = Annotated[
    list[str],
    Field(
        default_factory=lambda: list(NEVER_CONTACTS),
        description="Patterns of addresses that are never contacts",
        json_schema_extra={"zh": "永远不算联系人的地址模式"},
    ),
]
MailingLists = Annotated[
    bool,
    Field(
        default=False,
        description="Whether people are taken from mailing lists and newsletters too",
        json_schema_extra={"zh": "是否也从邮件列表和订阅邮件中取人"},
    ),
]
Since = Annotated[
    date | None,
    Field(
        default=None,
        description="Leave out messages that arrived before this day",
        json_schema_extra={"zh": "不看这一天之前收到的邮件"},
    ),
]
