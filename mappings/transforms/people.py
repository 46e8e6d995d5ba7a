"""Transforms that know about customers: names, scripts, contact points, countries."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from mappings.errors import RecordInvalid
from mappings.normalise.addresses import country_code
from mappings.normalise.emails import split_emails
from mappings.normalise.identifiers import normalise_identifier
from mappings.normalise.names import latin_person_name, split_person_name
from mappings.normalise.organisations import split_organisation_name
from mappings.normalise.phones import normalise_phone
from mappings.normalise.scripts import has_han, latin_text, simplify
from mappings.transforms.registry import Context, transform
from mappings.transforms.text import on_text
from mappings.values import Convert, excerpt

if TYPE_CHECKING:
    from opencc import OpenCC

Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=40)]
_MAX_NAME = 300


@transform("simplified")
def simplified(context: Context) -> Convert:
    """Traditional Chinese characters become simplified ones."""
    return on_text(simplify)


@transform("traditional")
def traditional(context: Context) -> Convert:
    """Simplified Chinese characters become traditional ones."""
    return on_text(lambda text: str(_to_traditional().convert(text)) if has_han(text) else text)


@transform("latin")
def latin(context: Context) -> Convert:
    """Latin letters for reading: 深圳 becomes Shen Zhen."""
    return on_text(lambda text: latin_text(text[:_MAX_NAME]))


@transform("latin_name")
def latin_name(context: Context) -> Convert:
    """A person's name in Latin letters: 张伟 becomes Zhang Wei."""
    return on_text(lambda text: latin_person_name(text[:_MAX_NAME]))


@transform("native_only")
def native_only(context: Context) -> Convert:
    """The text only if it has Chinese characters: `native_name` out of a field that holds either script."""
    return on_text(lambda text: text if has_han(text) else None)


@transform("latin_only")
def latin_only(context: Context) -> Convert:
    """The text only if it has no Chinese characters."""
    return on_text(lambda text: None if has_han(text) else text)


@transform("given_name")
def given_name(context: Context) -> Convert:
    """The given name out of a person's full name, where the name shows it."""
    return on_text(lambda text: ((name := split_person_name(text)) and name.given) or None)


@transform("family_name")
def family_name(context: Context) -> Convert:
    """The family name out of a person's full name, where the name shows it."""
    return on_text(lambda text: ((name := split_person_name(text)) and name.family) or None)


@transform("strip_legal_form")
def strip_legal_form(context: Context) -> Convert:
    """The name without its legal form: Acme GmbH becomes Acme, 华为技术有限公司 becomes 华为技术."""
    return on_text(_without_legal_form)


@transform("email")
def email(context: Context) -> Convert:
    """The first email address in a text; refuses text without one."""

    def convert(text: str) -> str:
        found = split_emails(text)
        if not found:
            raise RecordInvalid("{path}: “{value}” is no email address", path="", rule="email", value=excerpt(text))
        return found[0]

    return on_text(convert)


@transform("phone")
def phone(context: Context, region: Region | None = None) -> Convert:
    """A phone number in E.164 where it can be parsed (default region: the connection's), else its digits."""
    place = region or context.region

    def convert(text: str) -> str:
        found = normalise_phone(text, place)
        if found is None:
            raise RecordInvalid("{path}: “{value}” is no phone number", path="", rule="phone", value=excerpt(text))
        return found.value

    return on_text(convert)


@transform("identifier")
def identifier(context: Context, scheme: Scheme, valid_only: bool = False) -> Convert:
    """An official number without separators; `valid_only` keeps only those whose check digit is right."""

    def convert(text: str) -> str | None:
        found = normalise_identifier(scheme, text)
        return found.value if found and (found.valid or not valid_only) else None

    return on_text(convert)


@transform("country")
def country(context: Context) -> Convert:
    """The ISO 3166-1 alpha-2 code of a country named by code, in English or in Chinese."""

    def convert(text: str) -> str:
        code = country_code(text)
        if code is None:
            raise RecordInvalid(
                "{path}: “{value}” is no country that is known here",
                path="",
                rule="country",
                value=excerpt(text),
                remedy="Translate it with a value table into a code such as CN.",
            )
        return code

    return on_text(convert)


def _without_legal_form(text: str) -> str:
    parts: Any = split_organisation_name(text)
    form = parts.legal_form if parts else ""
    if not form:
        return text
    if has_han(text):
        return text[: -len(form)].strip() if simplify(text).endswith(form) else text
    return " ".join(text.split()[: -len(form.split())]).rstrip(" ,") or text


@lru_cache(maxsize=1)
def _to_traditional() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("s2t")
