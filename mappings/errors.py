"""What can be wrong with a mapping file, and with one record under a right mapping."""

from __future__ import annotations

from typing import Any


class MappingError(Exception):
    """Base: an English template with ``{named}`` places, a remedy, and their parameters (keys of the catalogue)."""

    code = "mapping_error"
    default_remedy = "Correct the mapping file, then run `kehu mapping check`."

    def __init__(self, template: str, *, remedy: str | None = None, **params: Any) -> None:
        self.template = template
        self.remedy = remedy if remedy is not None else self.default_remedy
        self.params = params
        try:
            text = template.format(**params)
        except (KeyError, IndexError, ValueError):
            text = template
        super().__init__(text)


class SpecError(MappingError):
    """The mapping file itself is wrong: names file, line, key, what is allowed and the nearest valid spelling."""

    code = "mapping_invalid"


class Doubt(MappingError):
    """Allowed in a mapping file, but seldom meant. Told, never raised."""

    code = "mapping_doubtful"
    default_remedy = ""


class RecordInvalid(MappingError):
    """One record does not fit: names the field's path, an excerpt of its value, the rule and the remedy."""

    code = "record_invalid"
    default_remedy = "Correct the record in its system, or change the mapping, then replay it."

    def __init__(
        self,
        template: str,
        *,
        path: str,
        rule: str,
        value: object = "",
        remedy: str | None = None,
        **params: Any,
    ) -> None:
        self.path, self.rule = path, rule
        self.value = str(value)[:200]
        super().__init__(template, remedy=remedy, path=path, rule=rule, value=self.value, **params)
