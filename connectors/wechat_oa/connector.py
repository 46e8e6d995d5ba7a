"""The connector of WeChat official accounts: one account, the stream of its followers."""

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
from connectors.errors import BadConfiguration
from connectors.tencent.callbacks import CallbackKeys, Callbacks, delivery_id
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


class WeChatConnector(Connector[WeChatConfig]):
    """Followers of one official account: read in full, told by callbacks, remarks written."""

    id: ClassVar[str] = "wechat_oa"
    config_model: ClassVar[type[WeChatConfig]] = WeChatConfig

    def __init__(self, config: WeChatConfig, context: Context) -> None:
        super().__init__(config, context)
        self._client = WeChatClient(config, context)
        self._followers = Followers(self._client)
        keys = CallbackKeys(config.callback_token, config.encoding_aes_key, config.app_id)
        self._callbacks = Callbacks(context.connection, keys)

    def check(self) -> Checked:
        """Log in, list followers and ask for the details of one."""
        openids, total = self._client.openids("")
        if openids:
            self._client.details(openids[:1])
        return Checked("WeChat lets us read {followers} followers.", {}, {"followers": total})

    def discover(self) -> Sequence[Stream]:
        """The one stream; its fields are documented."""
        capabilities = frozenset({Capability.IDS, Capability.WRITE, Capability.WEBHOOK})
        return [Stream(STREAM, "Followers", capabilities, Deletes.SWEEP, fields=FIELDS, mapping="mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of followers, everybody each time."""
        self._known(request.stream)
        return self._followers.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The openids of all followers."""
        self._known(stream)
        return self._followers.ids()

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single followers as they are now."""
        self._known(stream)
        return self._followers.fetch(keys)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Set remarks; followers cannot be created."""
        self._known(stream)
        return RemarkWriter(self._client, self._followers).write(batch)

    def challenge(self, request: Inbound) -> bytes | None:
        """The text by which WeChat tests the callback's address."""
        return self._callbacks.echo(request, self.context.now())

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The follower whom an event is about."""
        told = self._callbacks.message(request, self.context.now())
        event, openid = told.get("Event", "").lower(), told.get("OpenID") or told.get("FromUserName")
        if told.get("MsgType") != "event" or event in _QUIET or not openid:
            return []
        return [Hint(STREAM, openid, delivery_id(event, openid, told.get("CreateTime", "")))]

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
