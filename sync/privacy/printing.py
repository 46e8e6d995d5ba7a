"""An access report as a page that can be printed, in English or Chinese; needs no style sheet and no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from jinja2 import DictLoader, Environment

from sync.language import Phrase, text

_PAGE = """<!doctype html>
<html lang="{{ lang }}"><head><meta charset="utf-8"><title>{{ title }} {{ report.customer }}</title></head><body>
{% macro shown(value) -%}
{% if value is mapping %}<table border="1" cellpadding="4">{% for name, part in value.items() %}
<tr><th align="left" valign="top">{{ name }}</th><td>{{ shown(part) }}</td></tr>{% endfor %}</table>
{% elif value is sequence and value is not string %}
<ul>{% for part in value %}<li>{{ shown(part) }}</li>{% endfor %}</ul>
{% elif value is not none %}{{ value }}{% endif %}
{%- endmacro %}
<h1>{{ title }}</h1>
{% for name, heading in headings.items() %}<h2>{{ heading }}</h2>
{% if report[name] %}{{ shown(report[name]) }}{% else %}<p>–</p>{% endif %}
{% endfor %}</body></html>
"""
_HEADINGS = {
    "ids": Phrase("Identifiers of this person here"),
    "golden": Phrase("What is held"),
    "consents": Phrase("Consents"),
    "origin": Phrase("Where each value comes from"),
    "records": Phrase("By system, as it came and as it was understood"),
    "quarantine": Phrase("Records that did not fit"),
    "decisions": Phrase("What stewards decided"),
    "changes": Phrase("What became of it"),
    "receivers": Phrase("Who is told of changes"),
}
_TITLE = Phrase("Everything held on a person")
_PAGES = Environment(loader=DictLoader({"report": _PAGE}), autoescape=True)


def printed(report: Mapping[str, Any], lang: str) -> str:
    """The report as HTML; everything that systems have sent is escaped."""
    headings = {name: text(phrase.template, {}, lang) for name, phrase in _HEADINGS.items()}
    plain = orjson.loads(orjson.dumps(report))
    return _PAGES.get_template("report").render(
        report=plain, headings=headings, title=text(_TITLE.template, {}, lang), lang=lang
    )
