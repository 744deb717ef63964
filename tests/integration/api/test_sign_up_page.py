"""The sign-up page: closed with the API's sign-up, and no form that another site has sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.api.accounts import NEW_PASSWORD
from tests.integration.api.conftest import SiteMaker

SIGN_UP = "/en/dashboard/signup"
RINA = {"name": "Bu Rina", "email": "rina@example.com", "password": NEW_PASSWORD, "timeZone": "Asia/Makassar"}


@pytest.fixture
def assets(tmp_path: Path) -> str:
    """What a build would have left, as far as these pages name it."""
    names = ("app.css", "app.js", "icons.svg", "favicon.svg")
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({name: name for name in names}))
    return str(tmp_path)


async def test_the_page_is_closed_unless_the_settings_open_sign_up(
    open_site: SiteMaker, assets: str, rows: Any
) -> None:
    async with open_site(dashboard_assets=assets) as site:
        assert "dashboard/signup" not in (await site.client.get("/en/dashboard/signin")).text
        for answer in (await site.client.get(SIGN_UP), await site.client.post(SIGN_UP, data=RINA)):
            assert answer.status_code == 403
            assert "sign-up is closed here" in answer.text
        assert await rows.customers.count_documents({}) == 1


async def test_a_form_that_another_site_has_sent_makes_no_account(open_site: SiteMaker, assets: str, rows: Any) -> None:
    async with open_site(open_signup=True, dashboard_assets=assets) as site:
        answer = await site.client.post(SIGN_UP, data=RINA, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert await rows.customers.count_documents({}) == 1


async def test_who_signs_up_gets_the_cookie_and_goes_to_the_overview(
    open_site: SiteMaker, assets: str, rows: Any
) -> None:
    async with open_site(open_signup=True, dashboard_assets=assets) as site:
        answer = await site.client.post(SIGN_UP, data=RINA)
        assert (answer.status_code, answer.headers["location"]) == (303, "/en/dashboard/whatsapp")
        assert "merpati_token=" in answer.headers["set-cookie"]
        assert (await rows.customers.find_one({"email": "rina@example.com"}))["timeZone"] == "Asia/Makassar"


@pytest.mark.parametrize("missing", ["name", "email", "password"])
async def test_a_field_that_is_missing_is_told_in_the_form(open_site: SiteMaker, assets: str, missing: str) -> None:
    async with open_site(open_signup=True, dashboard_assets=assets) as site:
        answer = await site.client.post(SIGN_UP, data={**RINA, missing: ""})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert missing in answer.text.split('role="alert"')[1].split("</div>")[0]
