"""Signing up with a browser, where the deployment takes new customers."""

from __future__ import annotations

import secrets

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.people import OVERVIEW, SETTINGS
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
NEW_PASSWORD = "sandi yang baru"


@pytest_asyncio.fixture(loop_scope="package")
async def form(page: Page, browsed_stack: RunningStack) -> Page:
    """The sign-up, reached from the sign-in."""
    await page.goto(f"{browsed_stack.url}/en/dashboard/signin")
    await page.get_by_role("link", name="Sign up").click()
    return page


async def fill(page: Page, email: str, password: str = NEW_PASSWORD) -> None:
    """Type it all and send it."""
    await page.get_by_label("Your name").fill("Bu Rina")
    await page.get_by_label("Company").fill("Kopi Rina")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_label("Time zone").select_option("Asia/Makassar")
    await page.get_by_role("button", name="Sign up").click()


async def test_who_signs_up_is_signed_in_as_owner_of_an_account(form: Page, browsed_stack: RunningStack) -> None:
    await fill(form, f"rina.{secrets.token_hex(6)}@example.com")
    await expect(form).to_have_url(f"{browsed_stack.url}{OVERVIEW}")
    await expect(form.get_by_role("heading", name="Hello, Bu Rina")).to_be_visible()
    await form.goto(f"{browsed_stack.url}{SETTINGS}")
    await expect(form.get_by_label("Name of the account")).to_have_value("Kopi Rina")
    await expect(form.get_by_label("Time zone")).to_have_value("Asia/Makassar")


async def test_an_address_that_is_taken_is_told_and_what_was_typed_stays(
    form: Page, browsed_stack: RunningStack
) -> None:
    await fill(form, browsed_stack.ready.admin_email)
    await expect(form.get_by_role("alert")).to_contain_text("this e-mail address is taken")
    await expect(form.get_by_label("Your name")).to_have_value("Bu Rina")
    await expect(form.get_by_label("Time zone")).to_have_value("Asia/Makassar")
    await expect(form.get_by_label("Password", exact=True)).to_have_value("")
