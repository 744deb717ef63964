"""The rules of who may call what: each route has one, and nothing beside the gate makes a caller."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from litestar import Litestar, get

from services.api.access.callers import Caller
from services.api.access.guard import give_rules, named_handlers
from services.api.access.rules import RULES, Rule, Who
from services.api.accounts.records import SCOPES, Role
from services.api.app import application
from services.api.errors import Refusal
from tests.unit.api.assets import built_assets
from tests.unit.api.rules_table import DOCUMENT, written

SERVICES = Path(__file__).parents[3] / "services"
GATE = SERVICES / "api" / "access" / "gate.py"
KEY = Caller(customer_id="cus_1", key_id="key_1", scopes=SCOPES)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    return application(1_000, built_assets(tmp_path_factory.mktemp("assets")))


def test_each_route_has_a_rule_and_each_rule_a_route(app: Litestar) -> None:
    assert {name for name, _ in named_handlers(app)} == set(RULES)


def test_a_route_without_a_rule_is_not_served() -> None:
    @get("/api/customer/whatsapp/secrets", operation_id="list_secrets")
    async def list_secrets() -> str:
        return ""

    @get("/en/dashboard/secrets")
    async def show_secrets() -> str:
        return ""

    with pytest.raises(LookupError, match=r"GET /<language>/dashboard/secrets, list_secrets"):
        give_rules(Litestar([list_secrets, show_secrets], openapi_config=None))


def test_nothing_but_the_gate_makes_a_caller() -> None:
    makers = {
        f"{path.relative_to(SERVICES)}:{line}"
        for path in SERVICES.rglob("*.py")
        if path != GATE
        for line in lines_that_make_callers(ast.parse(path.read_text()))
    }
    assert makers == set()
    assert len(list(lines_that_make_callers(ast.parse(GATE.read_text())))) == 3  # of a key, a user, the deployment


def lines_that_make_callers(tree: ast.AST) -> Iterator[int]:
    """Calls of `Caller`, and what would turn one, or something else, into another."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), [ast.unparse(each) for each in node.args]
            is_changed = called.endswith("replace") and bool(given) and given[0].endswith("caller")
            is_converted = called.endswith("convert") and any("Caller" in each for each in given)
            if called.endswith("Caller") or is_changed or is_converted:
                yield node.lineno


# --- What a rule says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "changes", "method", "passes"),
    [
        pytest.param(Rule(scope="read"), {}, "GET", True, id="a key with the scope"),
        pytest.param(Rule(scope="read"), {"scopes": ("send",)}, "GET", False, id="a key without it"),
        pytest.param(Rule(scope="read"), {"session_ids": ("a",)}, "GET", True, id="a key of a session"),
        pytest.param(Rule(scope="read", of_account=True), {"session_ids": ("a",)}, "GET", False, id="of the account"),
        pytest.param(Rule(of_owner=True), {}, "GET", False, id="a key where an owner is asked for"),
        pytest.param(Rule(of_owner=True), {"role": Role.OWNER}, "GET", True, id="an owner"),
        pytest.param(Rule(scope="read"), {"role": Role.SUPPORT}, "GET", True, id="support reads"),
        pytest.param(Rule(scope="read"), {"role": Role.SUPPORT}, "POST", False, id="support asks for a change"),
        pytest.param(Rule(scope="sessions"), {"role": Role.SUPPORT}, "GET", False, id="support asks for a code"),
        pytest.param(Rule(scope="sessions"), {"role": Role.ADMIN}, "POST", True, id="an administrator"),
    ],
)
def test_a_rule_lets_through_whom_it_names(rule: Rule, changes: dict[str, object], method: str, passes: bool) -> None:
    caller = msgspec.structs.replace(KEY, **changes)
    if passes:
        rule.require(caller, method)
    else:
        with pytest.raises(Refusal):
            rule.require(caller, method)


def test_what_is_the_accounts_is_asked_of_no_key_for_some_sessions() -> None:
    """The scopes alone would let it: what is about no session is of the account."""
    of_sessions = {"list_templates", "get_template", "create_stream_ticket", "upload_media", "download_media"}
    about_sessions = ("session", "message", "chat", "group", "queue", "participants", "passkey", "pair", "webhook")
    unsaid = {
        name
        for name, rule in RULES.items()
        if rule.who is Who.CUSTOMER and not rule.of_account and name not in of_sessions
        if not any(word in name for word in (*about_sessions, "stats", "numbers", "presence"))
    }
    assert unsaid == set()


def test_the_table_of_the_documents_is_that_of_the_rules() -> None:
    document = DOCUMENT.read_text()
    assert document == written(document), "python -m tests.unit.api.rules_table writes it"
