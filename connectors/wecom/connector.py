"""The WeCom connector: one company, the stream of its employees' external contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from connectors.contract import (
    Capability,
    Checked,
    Connector,
    Context,
    Deletes,
    Field,
    Hint,
    Inbound,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.errors import BadConfiguration, PermissionMissing
from connectors.tencent.callbacks import CallbackKeys, Callbacks, delivery_id
from connectors.wecom.client import WeComClient
from connectors.wecom.config import WeComConfig
from connectors.wecom.customers import Customers, key_of
from connectors.wecom.writing import RemarkWriter

STREAM = "customers"
FIELDS = (
    Field("external_contact.external_userid", "string", "Customer"),
    Field("external_contact.name", "string", "Name in WeChat or WeCom"),
    Field("external_contact.type", "number", "1 WeChat, 2 WeCom"),
    Field("external_contact.position", "string", "Position"),
    Field("external_contact.corp_name", "string", "Short name of the company"),
    Field("external_contact.corp_full_name", "string", "Full name of the company"),
    Field("external_contact.unionid", "string", "WeChat union id"),
    Field("external_contact.gender", "number", "1 male, 2 female"),
    Field("follow_info.userid", "string", "Employee"),
    Field("follow_info.remark", "string", "Employee's remark name"),
    Field("follow_info.description", "string", "Employee's description"),
    Field("follow_info.remark_corp_name", "string", "Employee's remark of the company"),
    Field("follow_info.remark_mobiles", "array", "Employee's remark of phones"),
    Field("follow_info.createtime", "number", "When added (epoch seconds)"),
    Field("follow_info.add_way", "number", "How added"),
    Field("follow_info.state", "string", "Channel"),
    Field("follow_info.tag_id", "array", "Ids of tags"),
    Field("tags", "array", "Names of tags"),
)
_CHANGES = "change_external_contact"
_TAGS = "change_external_tag"


class WeComConnector(Connector[WeComConfig]):
    """External contacts of one company: read in full, told by callbacks, remarks written."""

    id: ClassVar[str] = "wecom"
    config_model: ClassVar[type[WeComConfig]] = WeComConfig

    def __init__(self, config: WeComConfig, context: Context) -> None:
        super().__init__(config, context)
        self._client = WeComClient(config, context)
        self._customers = Customers(self._client, config)
        keys = CallbackKeys(config.callback_token, config.encoding_aes_key, config.corp_id)
        self._callbacks = Callbacks(context.connection, keys)

    def check(self) -> Checked:
        """Log in, list the employees and ask for a row of them."""
        users = self._customers.users()
        if not users:
            raise PermissionMissing(
                "{connection}: WeCom shows this app no employee who may have external contacts.",
                connection=self.context.connection,
                remedy="List the app under 客户联系 → 可调用接口的应用 and let it see the employees concerned.",
            )
        self._client.customer_ids(users[0])
        return Checked("WeCom lets us read the customers of {users} employees.", {}, {"users": len(users)})

    def discover(self) -> Sequence[Stream]:
        """The one stream; its fields are documented."""
        capabilities = frozenset({Capability.IDS, Capability.WRITE, Capability.WEBHOOK})
        return [Stream(STREAM, "Customers", capabilities, Deletes.SWEEP, fields=FIELDS, mapping="mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of customers, everything each time."""
        self._known(request.stream)
        return self._customers.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The keys of all customers."""
        self._known(stream)
        return self._customers.ids()

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single customers as they are now."""
        self._known(stream)
        return self._customers.fetch(keys)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Set employees' remarks; customers cannot be created."""
        self._known(stream)
        return RemarkWriter(self._client, self._customers).write(batch)

    def challenge(self, request: Inbound) -> bytes | None:
        """The decrypted text by which WeCom tests the callback's address."""
        return self._callbacks.echo(request, self.context.now())

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The customer that a callback is about; of changed tags, that something in the stream has changed."""
        told = self._callbacks.message(request, self.context.now())
        names = ("Event", "ChangeType", "UserID", "ExternalUserID", "Id", "CreateTime")
        delivery = delivery_id(*(told.get(name, "") for name in names))
        user, customer = told.get("UserID"), told.get("ExternalUserID")
        if told.get("Event") == _CHANGES and customer and user:
            return [Hint(STREAM, key_of(customer, user), delivery)] if self._customers.reads(user) else []
        if told.get("Event") in (_CHANGES, _TAGS):
            return [Hint(STREAM, None, delivery)]
        return []

    def close(self) -> None:
        """Give back the sockets."""
        self._client.close()

    def _known(self, stream: str) -> None:
        if stream != STREAM:
            raise BadConfiguration(
                "{connection}: there is no stream {stream}. Allowed: {allowed}.",
                setting="streams",
                connection=self.context.connection,
                stream=stream[:60],
                allowed=STREAM,
            )
