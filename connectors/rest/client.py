"""The HTTP client of REST manifests: the manifest's rules are heard before a refusal is judged by its status."""

from __future__ import annotations

from typing import Any

from connectors.contract import Context
from connectors.errors import RetryLater, WaitUntil
from connectors.http import Client
from connectors.response import Response
from connectors.rest.rules import Rules
from connectors.statuses import UNPROCESSED


class RuledClient(Client):
    """A client whose refused answers meet the rules first, then ``connectors.statuses``.

    So a 401 may turn out as a missing permission and a 429 as a limit per day; a rule's ``retry_later`` is tried
    again, its ``wait`` pauses the account and its ``bad_credentials`` renews the login, as for any other answer.
    """

    def __init__(self, context: Context, base_url: str, rules: Rules, **options: Any) -> None:
        super().__init__(context, base_url, inspect=rules.inspect if rules else None, **options)
        self._rules = rules

    def of_record(self, told: Any, says: str, response: Response) -> Exception:
        """What an error means that a good answer tells of one of several records."""
        return self._rules.of_record(told, says, response)

    def _refusal(self, call: Any, response: Response) -> Exception:
        try:
            self._rules.inspect(response)
        except RetryLater as error:
            return self._again(call, error, processed=response.status not in UNPROCESSED)
        except WaitUntil as error:
            return self._throttled(response, max(0.0, (error.until - self.context.now()).total_seconds()))
        return super()._refusal(call, response)
