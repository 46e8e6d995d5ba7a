"""Prepared statements straight through libpq, for PostgreSQL.

Most of our statements touch a few rows by index: the server needs less time for one than a driver's cursor, which
waits in the event loop of the operating system, keeps states and adapts types (measured: 55 against 4 µs of our own
processor for one value). What the cursor can and this cannot (rare types of values, NUL in a text) is left to it.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from psycopg import DatabaseError, OperationalError, errors, pq
from psycopg.adapt import Transformer

from sync.master.encoding import BINARY, encoded

Row = tuple[Any, ...]
_Question = tuple[Any, ...]

_MOST = 400
"""So many statements of a connection are prepared; there are fewer in all the program."""
_GATHERED = 200
"""So many statements wait at most."""
_IDLE = int(pq.TransactionStatus.IDLE)
_DONE = frozenset({int(pq.ExecStatus.TUPLES_OK), int(pq.ExecStatus.COMMAND_OK)})
_COPYING = int(pq.ExecStatus.COPY_IN)


class _Call(NamedTuple):
    """A statement to send: the name under which it is prepared, its values, their formats, whether it may change
    anything, and the question it answers, if that was asked ahead.
    """

    name: bytes
    data: list[bytes | None]
    formats: list[int] | None
    writes: bool
    asked: _Question | None = None


class _Sent(NamedTuple):
    """What is on its way: statements of this transaction, and of the next one; how many more there are before each."""

    calls: list[_Call]
    following: Sequence[_Call]
    begin: int
    ends: int


class Statements:
    """The prepared statements of one connection. Used by one thread at a time, like the connection.

    On sessions of the sync path statements gather: those whose answer nobody needs, and those that will be asked for
    soon, wait for the next one that is asked for, or for the commit, and go with it in one round trip. The server does
    them one after the other, in their order. ``follow`` in ``sync.database`` keeps that true for whoever else uses the
    connection.

    On a connection whose driver prepares statements too none is prepared here: whenever a transaction is rolled back,
    it would throw away all there are.
    """

    def __init__(self, driver: Any) -> None:
        self._driver, self._pgconn = driver, driver.pgconn
        self.gathers: bool = driver.prepare_threshold is None
        self._most = _MOST if self.gathers else 0
        self._loader: Any = Transformer(driver)
        self._poller, self._polled = select.poll(), 0
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._waiting: list[_Call] = []
        self._asked: dict[str, _Question] = {}  # what is asked ahead and waits, by its statement
        self._answers: dict[str, tuple[_Question, Any]] = {}  # what was asked ahead and is answered
        self._next: list[_Call] = []
        self._sent: _Sent | None = None
        self.has_begun = False

    def fetch(self, statement: str, values: Sequence[Any]) -> list[Row]:
        """All rows of a statement with ``$1``, ``$2``, … for values. Raises as a cursor does; Unsupported before
        anything was sent.
        """
        return self._rows(self._answer(statement, *encoded(values)))

    def later(self, statement: str, values: Sequence[Any]) -> None:
        """A statement whose answer nobody needs. What goes wrong is raised with what it is sent with."""
        data, types, formats = encoded(values)
        name = self._named(statement, types)
        if name is None or not self.gathers:
            self._answer(statement, data, types, formats)
            return
        self._waiting.append(_Call(name, data, formats, writes=True))
        self._answers.clear()
        if len(self._waiting) >= _GATHERED:
            self.flush()

    def ahead(self, question: Row, statement: str, values: Sequence[Any]) -> None:
        """A statement that ``foreseen`` will be asked for by its ``question``: a statement in any words, and values.
        Of two that differ in values only the first waits, and the second is asked when it is asked for.
        """
        told = question[0]
        if not self.gathers or told in self._asked or (told in self._answers and self._answers[told][0] == question):
            return
        data, types, formats = encoded(values)
        name = self._named(statement, types)
        if name is not None:
            self._waiting.append(_Call(name, data, formats, _writes(statement), question))
            self._asked[told] = question

    def ahead_of_next(self, question: Row, statement: str, values: Sequence[Any]) -> None:
        """A statement that ``foreseen`` will be asked for in the next transaction, which ``commit`` then begins."""
        data, types, formats = encoded(values)
        name = self._named(statement, types)
        if name is not None and self.gathers:
            self._next.append(_Call(name, data, formats, _writes(statement), question))

    def foreseen(self, question: Row) -> list[Row] | None:
        """The rows of a question that was asked ahead, once; None if it was not, or something was written since."""
        told = question[0]
        if self._asked.get(told) == question:
            self._arrive()
            if told in self._asked:
                self._exchange()
        answer = self._answers.get(told)
        if answer is None or answer[0] != question:
            return None
        del self._answers[told]
        return self._rows(answer[1])

    def flush(self) -> None:
        """Send what waits, and wait for the answers."""
        self._arrive()
        if self._waiting:
            self._exchange()

    def depart(self) -> None:
        """Send what waits, and do not wait: whoever has something to do meanwhile does it."""
        self._arrive()
        if self._waiting:
            self._depart()

    def commit(self) -> None:
        """Send what waits, if anything does, and end the transaction with it. ``has_begun`` tells whether the next one
        was begun, with what was asked for it.
        """
        self._arrive()
        if self._next:
            self._commit_and_begin()
            return
        if any(call.writes for call in self._waiting):
            self._exchange(commit=True)
        self.drop()

    def _commit_and_begin(self) -> None:
        following, self._next = self._next, []
        results = self._exchange(commit=True, following=following)[-len(following) - 1 :]
        self._answers.clear()
        self.has_begun = all(result.status in _DONE for result in results)
        if self.has_begun:
            for call, result in zip(following, results[1:], strict=True):
                self._keep(call, result)
        else:  # whoever begins it will meet the same
            self._checked(self._pgconn.exec_(b"ROLLBACK"))

    def drop(self) -> None:
        """Forget what waits: the transaction is rolled back."""
        with suppress(DatabaseError):  # which is why it is rolled back, or will be said again
            self._arrive()
        self._waiting.clear()
        self._asked.clear()
        self._answers.clear()
        self._next.clear()
        self.has_begun = False

    def _rows(self, result: Any) -> list[Row]:
        if not result.ntuples:
            return []
        self._loader.set_pgresult(result)
        rows: list[Row] = self._loader.load_rows(0, result.ntuples, tuple)
        return rows

    def run(self, statement: str, values: Sequence[Any]) -> int:
        """The same, answering how many rows it touched."""
        return self._answer(statement, *encoded(values)).command_tuples or 0

    def run_packed(self, statement: str, arrays: Sequence[bytes]) -> int:
        """The same with values that are packed already, in the types that the statement says (``$1::text[]``)."""
        binary = [BINARY] * len(arrays)
        return self._answer(statement, list(arrays), (0,) * len(arrays), binary).command_tuples or 0

    def copy(self, statement: str, portions: Sequence[bytes | bytearray]) -> None:
        """``COPY … FROM STDIN`` once for each portion of data, which is all that one of them is given."""
        self.flush()
        self._begin()
        self._answers.clear()
        self._pgconn.nonblocking = 1
        try:
            self._pgconn.send_query("; ".join([statement] * len(portions)).encode())
            self._pass_on()
            fault = self._copied(portions)
            while self._result() is not None:
                pass
        except BaseException:
            self._pgconn.finish()
            raise
        self._pgconn.nonblocking = 0
        if fault is not None:
            self._checked(fault)

    def _copied(self, portions: Sequence[bytes | bytearray]) -> Any:
        """Give each COPY its data; answers the result of the first that fails, after which the server does no other."""
        for portion in portions:
            begun = self._told()
            if begun.status != _COPYING:
                return begun
            if not (self._pgconn.put_copy_data(portion) and self._pgconn.put_copy_end()):
                raise OperationalError("no memory for what is to be copied")
            self._pass_on()
            ended = self._told()
            if ended.status not in _DONE:
                return ended
        return None

    def _answer(
        self, statement: str, data: list[bytes | None], types: tuple[int, ...], formats: list[int] | None
    ) -> Any:
        name = self._named(statement, types)
        if name is None:
            self.flush()
            self._begin()
            return self._checked(self._pgconn.exec_params(statement.encode(), data, types, formats))
        self._arrive()
        if not self._waiting:
            self._begin()
            if self._answers and _writes(statement):
                self._answers.clear()
            return self._checked(self._pgconn.exec_prepared(name, data, formats))
        self._waiting.append(_Call(name, data, formats, _writes(statement)))
        return self._exchange()[-1]

    def _exchange(self, *, commit: bool = False, following: Sequence[_Call] = ()) -> list[Any]:
        """Everything that waits in one round trip; answers all results. ``commit`` ends the transaction with it, and
        ``following`` begins the next one, with results that are not checked.
        """
        self._arrive()
        self._depart(commit=commit, following=following)
        return self._arrive()

    def _depart(self, *, commit: bool = False, following: Sequence[_Call] = ()) -> None:
        calls, self._waiting = self._waiting, []
        pgconn, begin = self._pgconn, self._beginning()
        ends = [b"COMMIT"] * commit + [b"BEGIN"] * bool(following)
        pgconn.enter_pipeline_mode()
        pgconn.nonblocking = 1
        try:
            if begin is not None:
                pgconn.send_query_params(begin, None)
            for call in calls:
                pgconn.send_query_prepared(call.name, call.data, call.formats)
            for end in ends:
                pgconn.send_query_params(end, None)
            for call in following:
                pgconn.send_query_prepared(call.name, call.data, call.formats)
            pgconn.pipeline_sync()
            self._pass_on()
        except BaseException:  # lost, or stopped half-way: nobody could tell the answers apart any more
            pgconn.finish()
            raise
        self._sent = _Sent(calls, following, int(begin is not None), len(ends))

    def _arrive(self) -> list[Any]:
        """Wait for what is on its way, if anything is; answers all results."""
        if self._sent is None:
            return []
        (calls, following, begin, ends), self._sent = self._sent, None
        try:
            results = self._received(begin + len(calls) + ends + len(following))
        except BaseException:
            self._pgconn.finish()
            raise
        self._pgconn.nonblocking = 0
        self._pgconn.exit_pipeline_mode()
        for call in calls:
            if call.asked is not None:
                self._asked.pop(call.asked[0], None)
        for result in results[: len(results) - len(following) - bool(following)]:
            self._checked(result)
        for call, result in zip(calls, results[begin:], strict=False):
            if call.writes:  # what was answered before may be so no longer
                self._answers.clear()
            else:
                self._keep(call, result)
        if any(call.writes for call in self._waiting):
            self._answers.clear()
        return results

    def _keep(self, call: _Call, result: Any) -> None:
        """The answer of a question that was asked ahead."""
        if call.asked is not None:
            self._answers[call.asked[0]] = (call.asked, result)

    def _received(self, count: int) -> list[Any]:
        """The results of so many statements. Waits without holding up other threads, as libpq's own waiting would: they
        may hold the lock that the server waits for.
        """
        get_result, results = self._pgconn.get_result, []
        for place in range(count + 1):  # the last one is the end of the pipeline
            results.append(self._told())
            if place < count:
                get_result()  # that nothing more comes of it
        return results[:count]

    def _told(self) -> Any:
        """The next result, which must come."""
        result = self._result()
        if result is None:
            raise OperationalError("the connection is lost")
        return result

    def _result(self) -> Any:
        """The next result; None: there is none."""
        while self._pgconn.is_busy():
            self._poll(select.POLLIN)
            self._pgconn.consume_input()
        result = self._pgconn.get_result()
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise OperationalError("the connection is lost")
        return result

    def _pass_on(self) -> None:
        """Wait until all is on its way. The server may have to be listened to before it goes on reading."""
        while self._pgconn.flush():
            for _, event in self._poll(select.POLLIN | select.POLLOUT):
                if event & ~select.POLLOUT:
                    self._pgconn.consume_input()

    def _poll(self, events: int) -> list[tuple[int, int]]:
        if events != self._polled:
            self._poller.register(self._pgconn.socket, events)
            self._polled = events
        return self._poller.poll()

    def _begin(self) -> None:
        begin = self._beginning()
        if begin is not None:
            self._checked(self._pgconn.exec_(begin))

    def _beginning(self) -> bytes | None:
        """What begins the transaction; None inside of one."""
        if self._pgconn.transaction_status != _IDLE or self._driver.autocommit:
            return None
        self._answers.clear()
        level, read_only = self._driver.isolation_level, self._driver.read_only
        if level is None and read_only is None:
            return b"BEGIN"
        words = "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}"
        return f"{words} READ ONLY".encode() if read_only else words.encode()

    def _named(self, statement: str, types: tuple[int, ...]) -> bytes | None:
        return self._names.get((statement, types)) or self._prepared(statement, types)

    def _prepared(self, statement: str, types: tuple[int, ...]) -> bytes | None:
        if len(self._names) >= self._most:
            return None
        self._arrive()
        name = b"kehu_%d" % len(self._names)
        self._checked(self._pgconn.prepare(name, statement.encode(), types))
        self._names[statement, types] = name
        return name

    def _checked(self, result: Any) -> Any:
        if result.status in _DONE:
            return result
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise OperationalError(result.get_error_message("utf-8") or "the connection is lost")
        raise errors.error_from_result(result)


def _writes(statement: str) -> bool:
    return not statement.startswith("SELECT")
