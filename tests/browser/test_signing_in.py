"""Signing in and out with a browser."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from services.api.access.cookies import COOKIE
from tests.browser.people import DEVICES, OVERVIEW, Person, sign_in
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]


@pytest_asyncio.fixture(loop_scope="package")
async def signed_in(page: Page, person: Person) -> Page:
    """The page, on the overview of this person, who has just signed in with it."""
    await sign_in(page, person)
    return page


async def test_who_asks_for_a_page_signs_in_and_comes_to_it(page: Page, person: Person) -> None:
    await sign_in(page, person, path=DEVICES)
    await expect(page.get_by_role("heading", name="Devices", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/en/dashboard", "The e-mail address or the password is not right."),
        ("/id/dashboard", "Alamat email atau kata sandi salah."),
    ],
    ids=["en", "id"],
)
async def test_a_wrong_password_is_refused_in_the_language_of_the_page(
    page: Page, person: Person, path: str, sentence: str
) -> None:
    await page.goto(person.at(path))
    await page.locator("[name=email]").fill(person.tenant.email)
    await page.locator("[name=password]").fill("not it")
    await page.locator("main button.btn-primary").click()
    await expect(page.get_by_role("alert")).to_have_text(sentence)
    await expect(page.locator("[name=email]")).to_have_value(person.tenant.email)


async def test_no_script_can_read_the_sign_in(signed_in: Page, context: BrowserContext) -> None:
    cookie = next(each for each in await context.cookies() if each["name"] == COOKIE)
    assert cookie["httpOnly"]
    assert cookie["sameSite"] in ("Lax", "Strict")
    assert COOKIE not in await signed_in.evaluate("document.cookie")


async def test_signing_out_ends_the_sign_in_everywhere(
    signed_in: Page, context: BrowserContext, person: Person
) -> None:
    kept = await context.cookies()
    await signed_in.locator("[data-menu=account] summary").click()
    await signed_in.get_by_role("button", name="Sign out").click()
    await expect(signed_in).to_have_url(person.at("/en/dashboard/signin"))
    await context.add_cookies([{"name": c["name"], "value": c["value"], "url": person.tenant.url} for c in kept])
    await signed_in.goto(person.at(OVERVIEW))
    await expect(signed_in.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_language_is_that_of_the_browser(browser_in_indonesian: Page, browsed_stack: RunningStack) -> None:
    await browser_in_indonesian.goto(f"{browsed_stack.url}/dashboard")
    await expect(browser_in_indonesian.get_by_role("heading", name="Masuk")).to_be_visible()
    assert await browser_in_indonesian.locator("html").get_attribute("lang") == "id"


@pytest_asyncio.fixture(loop_scope="package")
async def browser_in_indonesian(browser: Browser) -> Page:
    return await (await browser.new_context(locale="id-ID")).new_page()


async def test_the_platforms_own_users_are_told_that_they_have_no_devices(
    page: Page, browsed_stack: RunningStack
) -> None:
    ready = browsed_stack.ready
    await page.goto(f"{browsed_stack.url}{DEVICES}")
    await page.locator("[name=email]").fill(ready.admin_email)
    await page.locator("[name=password]").fill(ready.admin_password)
    await page.locator("main button.btn-primary").click()
    await expect(page.get_by_role("alert")).to_contain_text("belongs to no customer")
    await page.get_by_role("link", name="Back to the overview").click()
    await expect(page.get_by_role("heading", name="Platform")).to_be_visible()
