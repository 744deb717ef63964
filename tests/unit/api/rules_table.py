"""Writes the table of docs/security.md from the rules: `python -m tests.unit.api.rules_table`."""

from __future__ import annotations

from pathlib import Path

from services.api.access.rules import RULES, Rule, Who

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
BEGIN, END = "<!-- rules -->\n", "<!-- end of rules -->\n"
HEAD = "| who | what it needs | a key for some sessions | operations |\n|---|---|---|---|\n"
NO_KEYS = {
    *(Who.NOBODY, Who.PERSON, Who.OPERATOR, Who.WATCHER, Who.DEFAULT),
    *(Who.VISITOR, Who.OPERATORS_PAGE, Who.WATCHERS_PAGE),
}


def table() -> str:
    """A row for each rule, in the order of the rules."""
    operations: dict[Rule, list[str]] = {}
    for name, rule in RULES.items():
        operations.setdefault(rule, []).append(f"`{name.replace(':str}', '}').replace(':int}', '}')}`")
    rows = [
        f"| {rule.who.value} | {needed_by(rule)} | {reach_under(rule)} | {' '.join(names)} |\n"
        for rule, names in operations.items()
    ]
    return HEAD + "".join(rows)


def needed_by(rule: Rule) -> str:
    """What the caller must have besides."""
    parts = [
        f"scope `{rule.scope}`" if rule.scope else "",
        "a signed-in owner" if rule.of_owner else "",
        "an administrator" if rule.of_administrator else "",
        "or a platform user" if rule.or_operator else "",
        "also while suspended" if rule.while_suspended else "",
    ]
    return ", ".join(filter(None, parts)) or "-"


def reach_under(rule: Rule) -> str:
    """What a key for some sessions gets."""
    if rule.who in NO_KEYS or rule.of_owner or rule.scope == "admin":
        return "-"
    return "refused: it is the account's" if rule.of_account else "its sessions"


def written(document: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
