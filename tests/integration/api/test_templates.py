"""Templates: kept by name, for one customer, and sent with their variables filled in."""

from __future__ import annotations

from typing import Any

import pytest

from libs.contracts.content import Text
from tests.integration.api.commands import commands, only_send
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import send

GREETING = {"name": "Greeting", "content": "Halo {{name}}, pesanan {{ order }} siap. {{name}}!", "description": "Noon"}


async def made(site: Site, **body: Any) -> Any:
    answer = await site.call("POST", "/templates", json={**GREETING, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_template_is_kept_with_the_variables_of_its_text(site: Site) -> None:
    template = await made(site, variables=["something", "else"])
    assert set(template) == {"id", "name", "content", "variables", "description", "createdAt", "updatedAt"}
    assert template["variables"] == ["name", "order"]
    assert (await site.call("GET", f"/templates/{template['id']}")).json()["data"] == template


async def test_templates_are_listed_by_name(site: Site) -> None:
    for name in ("Zebra", "Ayam", "Kopi"):
        await made(site, name=name)
    told = (await site.call("GET", "/templates")).json()["data"]
    assert [each["name"] for each in told] == ["Ayam", "Kopi", "Zebra"]
    told = (await site.call("GET", "/templates", params={"limit": 1, "offset": 1})).json()["data"]
    assert [each["name"] for each in told] == ["Kopi"]


async def test_what_is_left_out_of_a_change_stays(site: Site) -> None:
    template = await made(site)
    path = f"/templates/{template['id']}"
    changed = (await site.call("PUT", path, json={"content": "Terima kasih, {{who}}"})).json()["data"]
    assert (changed["name"], changed["variables"], changed["description"]) == ("Greeting", ["who"], "Noon")
    assert changed["updatedAt"] > template["updatedAt"]
    changed = (await site.call("PUT", path, json={"name": "Thanks", "description": None})).json()["data"]
    assert (changed["name"], changed["content"], "description" in changed) == ("Thanks", "Terima kasih, {{who}}", False)
    refused(await site.call("PUT", path, json={}), 400, "VALIDATION_FAILED")


async def test_a_template_that_is_deleted_is_gone(site: Site) -> None:
    path = f"/templates/{(await made(site))['id']}"
    assert (await site.call("DELETE", path)).json()["message"]
    for method, body in {"GET": None, "PUT": {"name": "X"}, "DELETE": None}.items():
        refused(await site.call(method, path, json=body), 404, "NOT_FOUND")


async def test_each_change_is_noted_once(site: Site, rows: Any) -> None:
    path = f"/templates/{(await made(site))['id']}"
    await site.call("PUT", path, json={"name": "Thanks"})
    await site.call("DELETE", path)
    noted = [entry["action"] async for entry in rows.audit.find({"action": {"$regex": "^template"}}).sort("createdAt")]
    assert noted == ["template.created", "template.changed", "template.deleted"]


async def test_a_name_is_given_once(site: Site) -> None:
    await made(site)
    other = await made(site, name="Other")
    refused(await site.call("POST", "/templates", json=GREETING), 409, "TEMPLATE_NAME_TAKEN")
    refused(await site.call("PUT", f"/templates/{other['id']}", json={"name": "Greeting"}), 409, "TEMPLATE_NAME_TAKEN")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"content": "Halo {{name"}, "content", id="a variable that is not closed"),
        pytest.param({"content": "   "}, "content", id="empty"),
        pytest.param({"name": " "}, "name", id="no name"),
        pytest.param({"name": "x" * 101}, "name", id="too long a name"),
        pytest.param({"content": "x" * 16_385}, "content", id="too long a text"),
    ],
)
async def test_a_template_that_makes_no_sense_is_refused(site: Site, body: dict[str, str], path: str) -> None:
    told = refused(await site.call("POST", "/templates", json={**GREETING, **body}), 400, "VALIDATION_FAILED")
    assert told["details"]["fields"][0]["path"] == path


# --- Sending ---------------------------------------------------------------------------------------------------------


async def test_a_template_is_sent_with_its_variables_filled_in(site: Site, session_id: str) -> None:
    template = await made(site)
    body = {
        "type": "template",
        "to": "081234567890",
        "templateId": template["id"],
        "variables": {"name": "Bu Sari", "order": "{{name}}", "more": "unused"},
    }
    answer = await send(site, session_id, body)
    assert answer.status_code == 202, answer.text
    assert (await only_send(site)).content == Text(text="Halo Bu Sari, pesanan {{name}} siap. Bu Sari!")
    assert answer.json()["data"]["type"] == "text"


async def test_without_a_value_for_each_variable_nothing_is_sent(site: Site, session_id: str) -> None:
    template = await made(site)
    body = {"type": "template", "to": "081234567890", "templateId": template["id"], "variables": {"name": "Bu Sari"}}
    told = refused(await send(site, session_id, body), 400, "VALIDATION_FAILED")
    assert told["details"]["fields"][0]["path"] == "variables.order"
    refused(await send(site, session_id, {**body, "templateId": "tpl_unknown"}), 404, "NOT_FOUND")
    assert await commands(site) == []
