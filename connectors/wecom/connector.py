"""The WeCom connector: one company, the stream of its employees' external contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from connectors.auth.naming import naming_address
from connectors.contract import Checked, Context, Field, Hint, Inbound
from connectors.errors import PermissionMissing
from connectors.tencent.callbacks import CallbackKeys, delivery_id
from connectors.tencent.connector import TencentConnector
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


class WeComConnector(TencentConnector[WeComConfig]):
    """External contacts of one company: read in full, told by callbacks, remarks written."""

    id: ClassVar[str] = "wecom"
    config_model: ClassVar[type[WeComConfig]] = WeComConfig
    stream: ClassVar[str] = STREAM
    title: ClassVar[str] = "Customers"
    fields: ClassVar[Sequence[Field]] = FIELDS

    def __init__(self, config: WeComConfig, context: Context) -> None:
        super().__init__(config, context, CallbackKeys(config.callback_token, config.encoding_aes_key, config.corp_id))
        self._client = WeComClient(config, context)
        self._customers = Customers(self._client, config)

    @property
    def people(self) -> Customers:
        """The employees' customers."""
        return self._customers

    def writer(self) -> RemarkWriter:
        """Sets employees' remarks."""
        return RemarkWriter(self._client, self._customers)

    def check(self) -> Checked:
        """Log in, list the employees and ask for a row of them."""
        with naming_address(self.context.connection, "base_url"):
            users = self._customers.users()
            if not users:
                raise PermissionMissing(
                    "{connection}: WeCom shows this app no employee who may have external contacts.",
                    connection=self.context.connection,
                    remedy="List the app under 客户联系 → 可调用接口的应用 and let it see the employees concerned.",
                )
            self._client.customer_ids(users[0])
        return Checked("WeCom lets us read the customers of {users} employees.", {}, {"users": len(users)})

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The customer that a callback is about; of changed tags, that something in the stream has changed."""
        told = self.told(request)
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
