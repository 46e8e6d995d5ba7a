"""Where a connection's requests may go: its own origins with credentials, nothing else on a server's mere word."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit, urlunsplit

from connectors.errors import BadConfiguration, StreamBroken
from connectors.guard import DEFAULT_PORTS, split_origin
from connectors.redaction import mask_url

REMEDY = "Set the address to the one under which the system really answers."


class Origins:
    """The base URL and the further origins (scheme, host, port) of one connection."""

    def __init__(self, connection: str, base_url: str, others: Sequence[str] = ()) -> None:
        parts = urlsplit(base_url)
        if parts.query or parts.fragment:
            raise BadConfiguration(
                "The address must end with its path; it holds a query or a fragment.", setting="base_url"
            )
        self._connection = connection
        self.base_url = base_url if base_url.endswith("/") else base_url + "/"
        self._known = {split_origin(url) for url in (base_url, *others)}

    def owns(self, url: str) -> bool:
        """Whether the URL belongs to this connection."""
        return split_origin(url) in self._known

    def url(self, path: str, *, authenticated: bool) -> str:
        """The whole URL for a path below the base URL, or for a URL the system gave us.

        With credentials only own origins are called. Raises ``StreamBroken`` for a link that leads elsewhere.
        """
        if "://" not in path.partition("?")[0]:
            return self.base_url + path.lstrip("/")
        url = self._same_scheme(joined(self.base_url, path))
        if authenticated and not self.owns(url):
            raise StreamBroken(
                "{connection}: a link leads to another system ({host}); it was not followed.",
                connection=self._connection,
                host=urlsplit(url).hostname or "",
                remedy=REMEDY,
            )
        return url

    def redirect(self, url: str, location: str, *, portable: bool) -> tuple[str, bool]:
        """Where a redirect leads, and whether it stays on the same origin.

        ``portable`` says that the request may go to another origin at all: it carries no data. Raises
        ``BadConfiguration`` for a step from https to http and for a request that may not leave.
        """
        target = joined(url, location)
        same = split_origin(url) == split_origin(target)
        where = {"connection": self._connection, "path": urlsplit(url).path, "host": urlsplit(target).hostname or ""}
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise BadConfiguration(
                "{connection}: {path} is redirected to an unencrypted address on {host}.",
                setting="base_url",
                remedy=REMEDY,
                **where,
            )
        if not same and not portable:
            raise BadConfiguration(
                "{connection}: {path} is redirected to another system ({host}); the data was not sent there.",
                setting="base_url",
                remedy=REMEDY,
                **where,
            )
        return target, same

    def _same_scheme(self, url: str) -> str:
        """Systems behind a proxy write http links to their https selves: such a link is meant to stay on https."""
        parts, base = urlsplit(url), urlsplit(self.base_url)
        itself = parts.hostname == base.hostname and parts.port in (None, DEFAULT_PORTS["http"])
        if parts.scheme == "http" and base.scheme == "https" and itself:
            return urlunsplit(parts._replace(scheme="https", netloc=base.netloc))
        return url


def joined(base: str, link: str) -> str:
    """A link that a system gave us, made whole. Raises ``StreamBroken`` when it is no URL at all."""
    try:
        url = urljoin(base, link)
        urlsplit(url).port  # noqa: B018 - reading it checks it
    except ValueError:
        raise StreamBroken("A link the system gave us is not a valid URL: {link}.", link=mask_url(link)[:200]) from None
    return url
