"""Which company's customers are meant: found once, by name or id."""

from __future__ import annotations

from connectors.errors import BadConfiguration
from connectors.odata.client import ODataClient


class Company:
    """The company of one connection. Asked for at the first use."""

    def __init__(self, client: ODataClient, wanted: str) -> None:
        self._client, self._wanted = client, wanted
        self._found: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self._company()[1]

    def path(self, entity: str) -> str:
        """Where one of its entity sets stands below the API's address."""
        return f"companies({self._company()[0]})/{entity}"

    def _company(self) -> tuple[str, str]:
        if self._found is None:
            self._found = self._chosen(self._companies())
        return self._found

    def _companies(self) -> list[tuple[str, str]]:
        rows = self._client.page("companies").rows
        return [(str(row.get("id", "")), str(row.get("name", ""))) for row in rows if row.get("id")]

    def _chosen(self, companies: list[tuple[str, str]]) -> tuple[str, str]:
        wanted = self._wanted.casefold()
        fitting = [c for c in companies if not wanted or wanted in (c[0].casefold(), c[1].casefold())]
        if len(fitting) == 1:
            return fitting[0]
        raise BadConfiguration(
            "{connection}: name the company. There are: {companies}.",
            setting="company",
            connection=self._client.connection,
            companies=", ".join(name for _, name in companies[:20]) or "-",
            remedy="Set `company` to one of these names.",
        )
