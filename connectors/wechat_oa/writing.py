"""Writing to WeChat: the account's remark of a follower. Nothing else of a follower can be written."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.tencent.answers import Refused
from connectors.wechat_oa.client import WeChatClient
from connectors.wechat_oa.followers import Followers

LONGEST = 29
"""Letters: WeChat wants fewer than 30."""


class RemarkWriter:
    """Looks at the remark as it is and sends another one only: the same write sent again sends nothing."""

    def __init__(self, client: WeChatClient, followers: Followers) -> None:
        self._client, self._followers = client, followers

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order; faults of one record are its result."""
        return [self._result(write) for write in batch]

    def _result(self, write: Write) -> WriteResult:
        try:
            return self._one(write)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)
        except Refused as error:
            reason = RecordRejected(error.template, rule=str(error.params.get("reason", "")), **error.params)
            return WriteResult(write.key, error=reason)

    def _one(self, write: Write) -> WriteResult:
        if write.key is None:
            raise RecordRejected(
                "Followers of a WeChat account cannot be created: they follow of their own will.",
                remedy="Write back only to followers that were read from this connection.",
            )
        remark = _remark(write)
        there = self._followers.one(write.key)
        if there is None:
            raise RecordRejected("There is no {what} {key} in the target.", path="id", what="follower", key=write.key)
        if (there.get("remark") or "") != remark:
            self._client.remark(write.key, remark)
        return WriteResult(write.key)


def _remark(write: Write) -> str:
    other = sorted(set(write.body) - {"remark"})
    if other or "remark" not in write.body:
        raise RecordRejected(
            "WeChat lets us set the remark of a follower, and not {path}.",
            path=other[0] if other else "",
            rule="remark only",
        )
    remark = write.body["remark"]
    remark = "" if remark is None else str(remark)
    if len(remark) > LONGEST:
        raise RecordRejected(
            "A remark of WeChat has at most {most} letters.",
            path="remark",
            value=remark,
            rule="fewer than 30 letters",
            most=LONGEST,
        )
    return remark
