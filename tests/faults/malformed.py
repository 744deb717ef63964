"""Requests as no client should make them: drawn against our OpenAPI, and bodies that are no JSON at all."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.errors import RejectedSchemaDefinition
from schemathesis.schemas import APIOperation

from libs.contracts.errors import ApiError

ENDLESS = {"stream_events"}
"""Never ends by itself; a test of its own reads it."""
UNDOING = {
    "sign_out",
    "create_api_key",
    "reconnect_single",
    "get_single_qr",
    "delete_session",
    "stop_session",
    "restart_session",
    "logout_session",
}
"""Would take away what the other requests need: the login, the key, or the linked session."""
TIMEOUT_S = 60
INTERNAL, FIRST_ERROR = 500, 400
TRACES = ("Traceback", 'File "', "site-packages")
TYPES = ("application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data", "image/png", "")


class _Named(dict[str, str]):
    """Path parameters; for what is not known, something that does not exist."""

    def __missing__(self, name: str) -> str:
        return f"no-such-{name}"


class Attacker:
    """Makes requests with good credentials and bad contents, and looks at every answer."""

    def __init__(self, url: str, token: str, known: dict[str, str]) -> None:
        """`known`: path parameters that exist, so that a request reaches further than to a 404."""
        self._url, self._known = url, known
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._operations = [found.ok() for found in self._description().get_all_operations()]
        self.answers = Counter[int]()
        self.refusals = Counter[str]()

    def _description(self) -> Any:
        document = self._session.get(f"{self._url}/docs/openapi.json", timeout=TIMEOUT_S).json()
        return schemathesis.openapi.from_dict(document)

    def close(self) -> None:
        self._session.close()

    def against_the_description(self, examples: int, *, derandomize: bool) -> None:
        """Requests that break what the description says of their bodies and parameters."""
        cases = st.one_of([self._cases(one) for one in self._operations if _id_of(one) not in ENDLESS | UNDOING])

        @_run(examples, derandomize)
        @hypothesis.given(cases)
        def attack(case: Any) -> None:
            self._look_at(case.call(base_url=self._url, session=self._session, timeout=TIMEOUT_S))

        attack()

    def _cases(self, operation: APIOperation[Any, Any, Any]) -> st.SearchStrategy[Any]:
        """Half of them reach what exists: there the body is what is wrong."""
        anywhere = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        names = {parameter.name for parameter in operation.path_parameters}
        known = {name: value for name, value in self._known.items() if name in names}
        if not known or known.keys() != names:
            return _drawn(anywhere)
        return _drawn(anywhere | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE, path_parameters=known))

    def with_broken_bodies(self, examples: int, *, derandomize: bool) -> None:
        """Bodies that are no JSON, or JSON beyond reason, under every content type."""
        targets = [one for one in self._operations if one.body and _id_of(one) not in UNDOING]

        @_run(examples, derandomize)
        @hypothesis.given(st.sampled_from(targets), broken_bodies(), st.sampled_from(TYPES))
        def attack(target: APIOperation[Any, Any, Any], body: bytes, content_type: str) -> None:
            path = target.path.format_map(_Named(self._known | {"group": "120363000000000000@g.us"}))
            headers = {"Content-Type": content_type} if content_type else {}
            answer = self._session.request(
                target.method, self._url + path, data=body, headers=headers, timeout=TIMEOUT_S
            )
            self._look_at(answer)

        attack()

    def _look_at(self, answer: Any) -> None:
        """No fault of ours, and a refusal that says what is wrong and nothing of our insides."""
        self.answers[answer.status_code] += 1
        assert answer.status_code != INTERNAL, f"{answer.request.method} {answer.request.url}: {answer.text}"
        if answer.status_code < FIRST_ERROR:
            return
        refusal = json.loads(answer.content)
        assert refusal["success"] is False
        assert refusal["error"] in ApiError.__members__.values()
        assert refusal["message"]
        assert not [trace for trace in TRACES if trace in answer.text], answer.text
        self.refusals[refusal["error"]] += 1


@st.composite
def _drawn(draw: st.DrawFn, cases: st.SearchStrategy[Any]) -> Any:
    """One case. schemathesis now and then mutates a schema into one that it refuses itself: then there is none."""
    try:
        return draw(cases)
    except RejectedSchemaDefinition:
        return hypothesis.reject()


def broken_bodies() -> st.SearchStrategy[bytes]:
    """Bytes, cut JSON, lone surrogates, numbers without measure, nesting without end, and what is not an object."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
    texts = values.map(json.dumps)  # NaN and Infinity included, which are not JSON
    cut = st.builds(lambda text, share: text[: int(len(text) * share)].encode(), texts, st.floats(0, 1))
    deep = st.builds(
        lambda depth, shape: (shape[0] * depth + "1" + shape[1] * depth).encode(),
        st.integers(100, 20_000),
        st.sampled_from([("[", "]"), ('{"text":', "}")]),
    )
    odd = st.sampled_from(
        [
            b'{"text":"\\ud800"}',
            b'{"to":1e999}',
            b'{"type":' + b"9" * 5000 + b"}",
            b'{"a":1,"a":2}',
            b"\xff\xfe{\x00}\x00",
        ]
    )
    return st.binary(max_size=200) | texts.map(str.encode) | cut | deep | odd


def _id_of(operation: APIOperation[Any, Any, Any]) -> str:
    return str(operation.definition.raw["operationId"])


def _run(examples: int, derandomize: bool) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
