"""Finds in the source every reason that the edge, or the posting of webhooks, gives in English.

In its words `{}` stands for a value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[3]
SOURCES = (
    *sorted((ROOT / "services/api").rglob("*.py")),
    ROOT / "libs/runtime/targets.py",
    ROOT / "services/status/webhooks/posting.py",
)
OWNERS = tuple(
    path for service in ("sessions", "sender", "status") for path in sorted((ROOT / "services" / service).rglob("*.py"))
)
LEFT_OUT = ("api/description/", "api/dashboard/words/", "api/media/decoder/")
"""Examples of the reference, sentences in both languages, and codes."""
ARGUMENTS = {
    "invalid": 1,
    "NotFetched": 0,
    "TargetRefused": 0,
    "NotRedrivable": 0,
    "ValueError": 0,
    "_unreachable": 0,
    "_unclear": 1,
    "_field": 1,
}
"""Which argument of these calls is a reason."""
THINGS = ("too_large",)
"""Calls whose first argument is the thing that is meant."""
RULES = (
    "name_fault",
    "fault_of",
    "why_not_editable",
    "why_not_deletable",
    "fault_of_host",
    "_fault_of_literal",
    "fault_of_address",
    "_sentence_of",
    "_encoding_fault",
    "_not_utf8",
    "_without_code",
)
"""Functions that return one."""


Named = dict[str, list[ast.expr]]


_SENTENCE = re.compile(r"[A-Z]\S* [^\n]*\.")
_OF_CONTENT = re.compile(r'(?:errContent\(|Reason: "content", Message: )"([^"]+)"')


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """`of` is `reason` or `what`; `words` are None where the reason is no constant: then `told` says what it is."""

    place: str
    of: str
    words: str | None
    told: str


def details() -> Iterator[Reason]:
    """Those that owners of sessions and webhooks, and sender, give as the detail of a failure; constants alone."""
    for path in OWNERS:
        module = ast.parse(path.read_text())
        named = _named_texts(module)
        for value in (each for node in ast.walk(module) for each in _details_of(node)):
            for part in _parts(value, named):
                yield Reason(place=path.name, of="detail", words=_words(part), told=ast.unparse(part))


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence that the other services hold, by the name of its file: what begins and ends like one."""
    for path in OWNERS:
        module = ast.parse(path.read_text())
        prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
        for node in ast.walk(module):
            match node:
                case ast.Constant(value=str() as words) if id(node) not in prose and _SENTENCE.fullmatch(words):
                    yield path.name, words
                case _:
                    continue


def _details_of(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id="failed"), args=[_, detail]):
            yield detail
        case ast.Call(func=ast.Attribute(attr="failed"), args=[_, _, detail, _]):
            yield detail
        case ast.Call(keywords=keywords):
            yield from (each.value for each in keywords if each.arg == "detail")
        case ast.FunctionDef(name="why_no_pair_code"):
            yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value)
        case _:
            return


def contents() -> set[str]:
    """Those that the engine gives for a content that cannot be sent."""
    sources = (path.read_text() for path in (ROOT / "services/sessions/engine").glob("*.go"))
    return {words for source in sources for words in _OF_CONTENT.findall(source)}


def reasons() -> Iterator[Reason]:
    """All of them."""
    for path in SOURCES:
        place = path.relative_to(ROOT).as_posix()
        if not any(part in place for part in LEFT_OUT):
            module = ast.parse(path.read_text())
            named = _named_texts(module)
            for of, value in (each for node in ast.walk(module) for each in _of_node(node)):
                yield from (
                    Reason(place=place, of=of, words=_words(part), told=ast.unparse(part))
                    for part in _parts(value, named)
                )


def _named_texts(module: ast.Module) -> Named:
    """The texts that names of this module stand for."""
    found: Named = {}
    for node in ast.walk(module):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str()) | ast.JoinedStr() as value):
                found.setdefault(name, []).append(value)
            case _:
                continue
    return found


def _of_node(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            if name in ARGUMENTS and len(args) > ARGUMENTS[name]:
                yield "reason", args[ARGUMENTS[name]]
            if name in THINGS and args:
                yield "what", args[0]
            yield from ((each.arg, each.value) for each in keywords if each.arg in ("reason", "what"))
        case ast.Dict(keys=keys, values=values) if any(_is_text(key, "path") for key in keys):
            named = zip(keys, values, strict=True)
            yield from (("reason", value) for key, value in named if _is_text(key, "reason"))
        case ast.FunctionDef(name=name) if name in RULES:
            returned = (each.value for each in ast.walk(node) if isinstance(each, ast.Return))
            yield from (("reason", value) for value in returned if value is not None)
        case _:
            return


def _parts(node: ast.expr, named: Named) -> Iterator[ast.expr]:
    """The expressions that the reason may be; none for a Phrase, where both languages stand."""
    match node:
        case ast.Constant(value=None) | ast.Call(func=ast.Name(id="Phrase" | "InvalidMedium")):
            return
        case ast.Name(id=name) if name in named:
            yield from named[name]
        case ast.IfExp(body=body, orelse=orelse):
            yield from _parts(body, named)
            yield from _parts(orelse, named)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _parts(value, named)
        case ast.Tuple(elts=[_, value]):
            yield from _parts(value, named)
        case _:
            yield node


def _words(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as words):
            return words
        case ast.JoinedStr(values=values):
            return "".join(_words(value) or "{}" for value in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return (_words(left) or "{}") + (_words(right) or "{}")
        case _:
            return None


def _is_text(node: ast.expr | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text
