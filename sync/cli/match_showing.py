"""How ``kehu match`` shows models, switches and explanations to humans."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mappings.matching.model import MatchModel
from sync.cli.console import emit_table, moment, number, say
from sync.language import _
from sync.matching.drift import Proposal
from sync.matching.explaining import Explanation, Key
from sync.matching.switching import Progress, Switch

LONGEST_LEVEL = 60
QUESTIONS = {
    "e": _("email"), "l": _("mailbox name"), "t": _("phone or tax number"), "n": _("number"), "b": _("date of birth"),
    "f": _("family name"), "g": _("given name"), "p": _("postcode"), "s": _("street"), "x": _("sound of the name"),
    "w": _("whole name"), "y": _("sound of a name"), "c": _("city and year of birth"), "d": _("email domain"),
    "2": _("first words of the name"), "prefix": _("beginning of the name"), "r": _("rarest word"),
    "rr": _("two rarest words"), "k": _("contact person"), "number": _("official number"), "contact": _("contact"),
    "equal": _("everything equal"),
}  # fmt: skip
"""What blocking keys ask, in words."""


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r'"(\w+)_l" = "\1_r"'), lambda found: _("equal")),
    (re.compile(r'jaro_winkler_similarity\("(\w+)_l", "\1_r"\) >= (?P<least>[\d.]+).*', re.DOTALL),
     lambda found: _("similar from {least} on", least=found["least"])),
    (re.compile(r'levenshtein\("(\w+)_l", "\1_r"\) <= (?P<most>\d+).*', re.DOTALL),
     lambda found: _("at most {most} edits", most=found["most"])),
    (re.compile(r"len\(list_intersect\(.*\)\) >= 1"), lambda found: _("one in common")),
    (re.compile(r"(\w+) unknown"), lambda found: _("unknown")),
    (re.compile(r"(\w+) in both scripts"), lambda found: _("equal across scripts")),
    (re.compile(r"an initial"), lambda found: _("an initial")),
    (re.compile(r"said of one only"), lambda found: _("said of one only")),
    (re.compile(r"all other"), lambda found: _("different")),
    (re.compile(r"may be relatives"), lambda found: _("may be relatives")),
    (re.compile(r"the same valid official number"), lambda found: _("the same valid official number")),
)  # fmt: skip


def level(label: str) -> str:
    """A level in words: the conditions of the shipped model are known, others are shown as they are."""
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(label):
            return words(found)
    return label if len(label) <= LONGEST_LEVEL else label[:LONGEST_LEVEL] + "…"


def proposed(found: Proposal) -> str:
    """A proposal in one sentence."""
    said = _("Version {version} is proposed because the data moved on: {records} records now, learnt from {learnt}.",
             version=found.version.number, records=number(found.records), learnt=number(found.learnt_from))  # fmt: skip
    if found.merged is None or found.split is None:
        return f"{said} {_('What it would change was not counted.')}"
    counted = _("It would merge {merged} customers of several and split {split}.",
                merged=number(found.merged), split=number(found.split))  # fmt: skip
    return f"{said} {counted}"


def proposal_data(found: Proposal | None) -> dict[str, Any] | None:
    """A proposal as JSON."""
    return None if found is None else {**found._asdict(), "version": found.version.number, "asks": found.asks}


def stage(state: Progress) -> str:
    """The stage of a switch in words."""
    names = {"keys": _("deriving keys"), "blocks": _("refining blocks"), "edges": _("comparing")}
    return names.get(state.stage or "", _("settling customers"))


def changed(one: Switch) -> str:
    """A switch in one line."""
    counts = ", ".join(f"{name} {count}" for name, count in sorted(one.changes.items())) or "-"
    return _(
        "{at}: version {before} → {after} by {by}; changes of customers since: {counts}. {reason}",
        at=moment(one.begun_at),
        before=one.from_version or "-",
        after=one.to_version,
        by=one.begun_by,
        counts=counts,
        reason=one.reason,
    ).rstrip()


def model(one: MatchModel) -> None:
    """The weights of a model, level by level."""
    say(
        _(
            "{kind}: prior {prior} (log2 odds), {shared} shared contacts, {blocks} crowded blocks",
            kind=one.kind,
            prior=f"{one.prior:.2f}",
            shared=len(one.shared),
            blocks=len(one.oversized),
        ),
        "bold",
    )
    rows = [
        (c.name, level(one_of.label), f"{one_of.weight:+.2f}", _("by frequency") if one_of.tf_column else "")
        for c in one.comparisons
        for one_of in c.levels
        if not one_of.is_null
    ]
    emit_table((_("Field"), _("Level"), _("Weight"), _("Adjusted")), rows, right=(2,))


def explanation(found: Explanation) -> None:
    """The waterfall of a pair and everything around it."""
    for side in (found.left, found.right):
        say(f"{side.record}  {side.customer}  {side.name}", "bold")
    if found.prior is not None:
        rows = [(_("Prior"), _("two random records"), f"{found.prior:+.2f}", "")]
        for step in found.steps:
            rows.append(
                (
                    step["comparison"],
                    level(step["level"]),
                    f"{step['weight']:+.2f}",
                    f"{step['adjustment']:+.2f}" if step["adjustment"] else "",
                )
            )
        rows.append((_("Total"), "", f"{found.weight:+.2f}", ""))
        emit_table((_("Field"), _("Level"), _("Weight"), _("Frequency")), rows, right=(2, 3))
    else:
        rows = [(_("Rule"), str(found.rule or "-"), f"{found.weight:+.2f}", "")]
        rows += [(name, str(value), "", "") for name, value in found.details.items()]
        emit_table((_("Field"), _("Level"), _("Weight"), _("Frequency")), rows, right=(2, 3))
    for line in _verdicts(found):
        say(line)


def _verdicts(found: Explanation) -> list[str]:
    lines = []
    if found.accept_from is not None and found.review_from is not None:
        lines.append(
            _(
                "Customers merge from a mean weight of {accept} on; pairs from {review} on are for stewards.",
                accept=f"{found.accept_from:g}",
                review=f"{found.review_from:g}",
            )
        )
    if found.veto:
        lines.append(_("Forbidden: {veto}.", veto=found.veto))
    lines += [_("Decision {decision}.", decision=said) for said in found.said]
    if found.shared:
        lines.append(_("Both have these keys: {keys}.", keys=_keys(found.shared)))
    elif found.crowded:
        lines.append(_("Never compared: too many records share {keys}.", keys=_keys(found.crowded)))
    else:
        lines.append(_("Never compared: they have no blocking key in common."))
    lines.append(_("They are one customer.") if found.same_customer else _("They are different customers."))
    return lines


def _keys(keys: list[Key]) -> str:
    return ", ".join(f"{QUESTIONS.get(key.question, key.question)} {key.value}".strip() for key in keys)
