"""The ``webhook`` part of REST manifests: how an inbound call is proved, and what it hints at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from connectors.manifest import Identifier, Part
from connectors.rest.manifest_calls import Scalar, one_or_more


class SentAt(Part):
    """The header that tells when a call was sent; what is older or newer than ``tolerance`` seconds is refused."""

    header: str
    tolerance: Annotated[int, Field(ge=1, le=86_400)] = 300


class HmacProof(Part):
    """A keyed hash in a header. ``message`` is what is hashed; its places are ``{method}``, ``{url}`` (see
    ``Webhook.url``), ``{timestamp}`` (of ``sent_at``, as it came) and ``{body}`` (as it came).
    """

    kind: Literal["hmac"]
    secret: str
    header: str
    message: str = "{body}"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    sent_at: SentAt | None = None

    @model_validator(mode="after")
    def _dated(self) -> HmacProof:
        if "{body}" not in self.message:
            raise ValueError("`message` must hold {body}, or anything could be sent under the signature")
        if ("{timestamp}" in self.message) != (self.sent_at is not None):
            raise ValueError("{timestamp} in `message` and `sent_at` belong together")
        return self


class SharedProof(Part):
    """A secret that is sent as it is, for systems that sign nothing: in a header, or in the query of the address."""

    kind: Literal["shared"]
    secret: str
    header: str = ""
    prefix: str = ""
    query: str = ""

    @model_validator(mode="after")
    def _somewhere(self) -> SharedProof:
        if not self.header and not self.query:
            raise ValueError("needs `header` or `query`, the place where the secret is sent")
        return self


Proof = Annotated[HmacProof | SharedProof, Field(discriminator="kind")]


class Ping(Part):
    """A call by which the system only tests the address: one of this method, or a form of this field alone.

    It is answered with status 200 unproved, and nothing in it is heeded.
    """

    method: Literal["", "GET"] = ""
    form: str = ""


class Delivery(Part):
    """What a repetition of a call shares and no later change does: a header, values of the event, or all of the body.

    Without it, or where a value is missing, nothing is taken for a repetition: reading again does no harm.
    """

    header: str = ""
    event: tuple[str, ...] = ()
    body: bool = False

    _paths = field_validator("event", mode="before")(one_or_more)


class HintRule(Part):
    """Which events speak of a stream: those whose value at ``path``, or whose ``header``, is one of ``equals`` or
    begins with ``starts``. ``key`` are the paths of the keys (a list there names several); without one the stream is
    read incrementally.
    """

    stream: Identifier
    path: str = ""
    header: str = ""
    equals: tuple[Scalar, ...] | None = None
    starts: str = ""
    key: tuple[str, ...] = ()

    _paths = field_validator("key", "equals", mode="before")(one_or_more)

    @model_validator(mode="after")
    def _condition(self) -> HintRule:
        if (self.equals is not None or self.starts) and bool(self.path) == bool(self.header):
            raise ValueError("`equals` and `starts` need one of `path` and `header`, whose value they are about")
        if (self.path or self.header) and self.equals is None and not self.starts:
            raise ValueError("`path` and `header` need `equals` or `starts`")
        return self


class Webhook(Part):
    """Inbound calls. ``events`` is the path of the list of events; empty: the body is one, or a list of them.

    ``url`` is the address as the system calls it, for signatures over it.
    """

    proof: Proof
    hints: Annotated[tuple[HintRule, ...], Field(min_length=1)]
    body: Literal["json", "form"] = "json"
    events: str = ""
    delivery: Delivery = Delivery()
    ping: Ping = Ping()
    url: str = ""

    @model_validator(mode="after")
    def _signed_address(self) -> Webhook:
        if isinstance(self.proof, HmacProof) and "{url}" in self.proof.message and not self.url:
            raise ValueError("{url} in `message` needs `url`, the address as the system calls it")
        return self
