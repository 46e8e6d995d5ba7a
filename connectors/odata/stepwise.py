"""Writing step by step, so that the records of a batch can take their steps together.

How a record is written is told as steps that yield calls and take their answers. So one record's calls are made one by
one, and those of many records in rounds, each round one request (see ``connectors.odata.batching``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import BadConfiguration, RecordRejected, RetryLater, StreamBroken, WriteConflict
from connectors.odata.answers import Answer
from connectors.odata.batching import Ask, Form
from connectors.odata.client import EXPLAINED, ODataClient
from connectors.odata.literals import url
from connectors.odata.writing import Writer
from connectors.response import Response

Steps = Generator[Ask, Response, WriteResult]
"""The calls of one record, each answered before the next; in the end what became of it."""


class StepWriter(Writer):
    """Writes one entity set. ``form`` is how its service takes several calls at once (None: it does not), and
    ``at_once`` how many.
    """

    def __init__(self, client: ODataClient, form: Form | None = None, at_once: int = 100) -> None:
        super().__init__(client)
        self._form, self.at_once = form, at_once if form is not None else 1

    @abstractmethod
    def creating(self, write: Write) -> Steps:
        """Create, or update what an earlier try of the same write has created."""

    @abstractmethod
    def updating(self, write: Write, key: str) -> Steps:
        """Update the record with this key."""

    def mark(self, write: Write) -> str:
        """The same for two writes that may be about one record: they are not made together."""
        return write.key or f"new:{write.idempotency_key}"

    # --- steps

    def one(
        self, path: str, params: Mapping[str, Any] | None = None
    ) -> Generator[Ask, Response, dict[str, Any] | None]:
        """One entity, or None if there is none."""
        response = yield Ask("GET", url(path, params))
        if response.status == 404:
            return None
        if not response.ok:
            raise self._client.error(response, read=True)
        return self._client.entity(response)

    def page(self, path: str, params: Mapping[str, Any]) -> Generator[Ask, Response, Answer]:
        """The first page of a query."""
        response = yield Ask("GET", url(path, params))
        if not response.ok:
            raise self._client.error(response, read=True)
        return self._client.answer(response)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
        *,
        allow: frozenset[int] = frozenset(),
        idempotent: bool = False,
    ) -> Generator[Ask, Response, Response]:
        """A change. Statuses of ``allow`` are returned; other refusals are raised as errors of one record."""
        response = yield Ask(method, path, body, headers or {}, allow, idempotent)
        if response.ok or response.status in allow:
            return response
        raise self._client.error(response, read=False)

    # --- one by one

    def _create(self, write: Write) -> WriteResult:
        return self._run(self.creating(write))

    def _update(self, write: Write, key: str) -> WriteResult:
        return self._run(self.updating(write, key))

    def _run(self, steps: Steps) -> WriteResult:
        response: Response | None = None
        while True:
            try:
                ask = next(steps) if response is None else steps.send(response)
            except StopIteration as end:
                result: WriteResult = end.value
                return result
            response = self._alone(ask)

    def _alone(self, ask: Ask) -> Response:
        """The answer to one call: a success, or a status whose body tells the reason."""
        return self._client.http.request(
            ask.method, ask.path, json=ask.body, headers=ask.headers, read=ask.reads,
            idempotent=ask.reads or ask.idempotent, allow=EXPLAINED | ask.allow,
        )  # fmt: skip

    # --- together

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """What became of the records that could be written in rounds, by their places."""
        running: dict[int, Steps] = {}
        seen: set[str] = set()
        for place, write in enumerate(part):
            if self.mark(write) not in seen:
                running[place] = self.creating(write) if write.key is None else self.updating(write, write.key)
            seen.add(self.mark(write))
        done: dict[int, WriteResult] = {}
        begun: set[int] = set()
        asked = self._advanced(running, dict.fromkeys(running), part, done)
        while asked:
            answers = self._answers(asked, begun, part, done)
            begun |= {place for place, answer in answers.items() if answer and answer.ok and not asked[place].reads}
            running = {place: running[place] for place, answer in answers.items() if answer is not None}
            asked = self._advanced(running, answers, part, done)
        return done

    def _answers(
        self, asked: Mapping[int, Ask], begun: set[int], part: Sequence[Write], done: dict[int, WriteResult]
    ) -> dict[int, Response | None]:
        """The answers to one round. None for records that are begun again alone, and for those that are ``done``.

        A record that has been changed already (``begun``) cannot begin again, being newer by then than was seen: its
        steps go on alone. So do those of the only record that is left.
        """
        together = len(asked) > 1
        answers = dict(zip(asked, self._asked(list(asked.values())) if together else [None], strict=True))
        for place, ask in asked.items():
            if answers[place] is None and (place in begun or not together):
                try:
                    answers[place] = self._again(ask) if together else self._alone(ask)
                except RecordRejected as error:
                    done[place] = WriteResult(part[place].key, error=error)
        return answers

    def _again(self, ask: Ask) -> Response:
        """A call whose answer is not known from a batch. A creation that may have been carried out is not repeated."""
        if ask.method == "POST" and not ask.idempotent:
            raise RetryLater(
                "{connection}: {method} {path} failed on the other side (status {status}){excerpt}",
                connection=self._client.connection,
                method=ask.method,
                path=ask.path,
                status="-",
                excerpt="",
            )
        return self._alone(ask)

    @staticmethod
    def _advanced(
        running: Mapping[int, Steps],
        answers: Mapping[int, Response | None],
        part: Sequence[Write],
        done: dict[int, WriteResult],
    ) -> dict[int, Ask]:
        """The next calls, after these answers. A conflict may be one within the batch: that record is begun again."""
        asked: dict[int, Ask] = {}
        for place, steps in running.items():
            answer = answers[place]
            try:
                asked[place] = next(steps) if answer is None else steps.send(answer)
            except StopIteration as end:
                done[place] = end.value
            except WriteConflict:
                continue
            except RecordRejected as error:
                done[place] = WriteResult(part[place].key, error=error)
        return asked

    def _asked(self, asks: Sequence[Ask]) -> list[Response | None]:
        """The answers to one round; none where the service does not take it so."""
        assert self._form is not None  # noqa: S101 - only asked then
        content, headers = self._form.packed(asks)
        for _ in asks:  # one by one: no budget is as deep as a whole batch
            self._client.http.budget.take()
        try:
            response = self._batch(content, headers, reads=all(ask.reads for ask in asks))
        except (BadConfiguration, RecordRejected, StreamBroken):
            self._form = None
            return [None] * len(asks)
        return self._form.answers(response, asks)

    def _batch(self, content: bytes, headers: Mapping[str, str], *, reads: bool) -> Response:
        """One request that holds many, which have been counted. Raises what refused the whole of it."""
        return self._client.http.post(
            "$batch", content=content, headers=headers, read=reads, idempotent=reads, weight=0.0
        )
