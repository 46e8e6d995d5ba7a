"""The connector of WeChat official accounts: one account, the stream of its followers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from connectors.auth.naming import naming_address
from connectors.contract import Checked, Context, Field, Hint, Inbound
from connectors.tencent.callbacks import CallbackKeys, delivery_id
from connectors.tencent.connector import TencentConnector
from connectors.wechat_oa.client import WeChatClient
from connectors.wechat_oa.config import WeChatConfig
from connectors.wechat_oa.followers import Followers
from connectors.wechat_oa.writing import RemarkWriter

STREAM = "followers"
FIELDS = (
    Field("openid", "string", "Follower, in this account"),
    Field("unionid", "string", "Follower, in all accounts of one open platform"),
    Field("remark", "string", "The account's remark"),
    Field("nickname", "string", "Nickname (empty since 2021)"),
    Field("subscribe_time", "number", "When last followed (epoch seconds)"),
    Field("subscribe_scene", "string", "How found"),
    Field("qr_scene", "number", "Code scanned, by number"),
    Field("qr_scene_str", "string", "Code scanned, by text"),
    Field("language", "string", "Language"),
    Field("tagid_list", "array", "Ids of tags"),
    Field("tags", "array", "Names of tags"),
    Field("groupid", "number", "Group (of old)"),
)
_QUIET = frozenset({"location", "click", "view", "templatesendjobfinish", "masssendjobfinish"})
"""Events after which a follower is as before. All others are hints, for the names of some are not certain."""


class WeChatConnector(TencentConnector[WeChatConfig]):
    """Followers of one official account: read in full, told by callbacks, remarks written."""

    id: ClassVar[str] = "wechat_oa"
    config_model: ClassVar[type[WeChatConfig]] = WeChatConfig
    stream: ClassVar[str] = STREAM
    title: ClassVar[str] = "Followers"
    fields: ClassVar[Sequence[Field]] = FIELDS

    def __init__(self, config: WeChatConfig, context: Context) -> None:
        super().__init__(config, context, CallbackKeys(config.callback_token, config.encoding_aes_key, config.app_id))
        self._client = WeChatClient(config, context)
        self._followers = Followers(self._client)

    @property
    def people(self) -> Followers:
        """The followers."""
        return self._followers

    def writer(self) -> RemarkWriter:
        """Sets the account's remarks."""
        return RemarkWriter(self._client, self._followers)

    def check(self) -> Checked:
        """Log in, list followers and ask for the details of one."""
        with naming_address(self.context.connection, "base_url"):
            openids, total = self._client.openids("")
            if openids:
                self._client.details(openids[:1])
        return Checked("WeChat lets us read {followers} followers.", {}, {"followers": total})

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The follower whom an event is about."""
        told = self.told(request)
        event, openid = told.get("Event", "").lower(), told.get("OpenID") or told.get("FromUserName")
        if told.get("MsgType") != "event" or event in _QUIET or not openid:
            return []
        return [Hint(STREAM, openid, delivery_id(event, openid, told.get("CreateTime", "")))]

    def close(self) -> None:
        """Give back the sockets."""
        self._client.close()
