"""The settings: oneself, the password, the account's clock, other sign-ins, and the audit log."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.people import DEVICES, OVERVIEW, SETTINGS, Person, has_told, sign_in, visit
from tests.e2e.tenants import PASSWORD
from tests.e2e.wire import BASE

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
AUDIT = f"{SETTINGS}/audit"
OTHER_PASSWORD = "sandi yang lain lagi"
PAGE = 25


@pytest_asyncio.fixture(loop_scope="package")
async def signed_in(page: Page, person: Person) -> Page:
    """The page, on the overview of this person, who has just signed in with it."""
    await sign_in(page, person)
    return page


@pytest_asyncio.fixture(loop_scope="package")
async def settings(signed_in: Page, person: Person) -> Page:
    """The settings of an owner."""
    await visit(signed_in, person, SETTINGS)
    return signed_in


async def test_a_changed_profile_stays_and_stands_in_the_menu(settings: Page, person: Person) -> None:
    profile = settings.get_by_role("region", name="Profile")
    await profile.get_by_label("Name").fill("Ibu Sari")
    await profile.get_by_label("Phone number").fill("0812-3456-789")
    await profile.get_by_role("button", name="Save").click()
    await has_told(settings, "Your profile was saved.")
    await expect(profile.get_by_label("Name")).to_have_value("Ibu Sari")
    await visit(settings, person, SETTINGS)
    await expect(profile.get_by_label("Phone number")).to_have_value("08123456789")
    await profile.get_by_label("Phone number").fill("")
    await profile.get_by_role("button", name="Save").click()
    await has_told(settings, "Your profile was saved.")
    async with person.api() as http:
        user = (await http.get("/api/auth/me")).json()["data"]["user"]
    assert (user["name"], user["phone"]) == ("Ibu Sari", None)


async def test_a_new_password_ends_other_sign_ins_and_is_the_one_that_holds(
    settings: Page, person: Person, browser: Browser
) -> None:
    elsewhere = await (await browser.new_context()).new_page()
    await sign_in(elsewhere, person)
    section = settings.get_by_role("region", name="Password")
    await section.get_by_label("Present password").fill("not it at all")
    new = section.get_by_label("New password")
    await new.fill(OTHER_PASSWORD)
    await expect(new).to_have_attribute("type", "password")
    await section.get_by_role("button", name="Show what is typed").last.click()
    await expect(new).to_have_attribute("type", "text")
    await section.get_by_role("button", name="Change the password").click()
    await expect(settings.get_by_role("alert")).to_contain_text("this is not the present password")
    await section.get_by_label("Present password").fill(PASSWORD)
    await section.get_by_role("button", name="Change the password").click()
    await has_told(settings, "The password was changed")
    await elsewhere.goto(person.at(DEVICES))
    await expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
    await elsewhere.locator("[name=email]").fill(person.tenant.email)
    await elsewhere.locator("[name=password]").fill(OTHER_PASSWORD)
    await elsewhere.locator("main button.btn-primary").click()
    await expect(elsewhere).to_have_url(person.at(DEVICES))


async def test_times_are_those_of_the_chosen_zone(settings: Page, person: Person) -> None:
    shown = settings.locator("[data-login] time").first
    jakarta = await shown.inner_text()
    section = settings.get_by_role("region", name="Account", exact=True)
    await section.get_by_label("Time zone").select_option("Pacific/Auckland")
    await section.get_by_role("button", name="Save").click()
    await has_told(settings, "The account was saved.")
    await expect(shown).not_to_have_text(jakarta)
    await visit(settings, person, SETTINGS)
    await expect(section.get_by_label("Time zone")).to_have_value("Pacific/Auckland")


async def test_another_sign_in_is_seen_and_ended(settings: Page, person: Person) -> None:
    logins = settings.locator("[data-login]")
    await expect(logins).to_have_count(2)
    await expect(logins.filter(has_text="This one")).to_contain_text("Chrome on Linux")
    await logins.filter(has_text="python-httpx").get_by_role("button", name="End").click()
    await expect(logins).to_have_count(1)
    async with person.api() as http:
        assert (await http.get("/api/auth/me")).status_code == 401


async def test_all_other_sign_ins_are_ended_at_once(settings: Page, person: Person) -> None:
    for _ in range(8):
        async with person.api() as http:
            answer = await http.post("/api/auth/signin", json={"email": person.tenant.email, "password": PASSWORD})
            assert answer.is_success
    await visit(settings, person, SETTINGS)
    await settings.get_by_role("navigation", name="Further sign-ins").get_by_role("link", name="Older").click()
    await expect(settings.locator("[data-login]")).to_have_count(2)
    await settings.get_by_role("button", name="End all others").click()
    await has_told(settings, "All other sign-ins have ended.")
    await visit(settings, person, SETTINGS)
    await expect(settings.locator("[data-login]")).to_have_count(1)


async def test_the_dashboard_opens_in_the_language_and_theme_that_were_chosen(settings: Page, person: Person) -> None:
    await settings.get_by_role("group", name="Theme").get_by_role("button", name="Dark").click()
    await settings.get_by_role("group", name="Language").get_by_role("link", name="Bahasa Indonesia").click()
    await expect(settings).to_have_url(person.at(SETTINGS.replace("/en/", "/id/")))
    await settings.goto(person.at("/dashboard"))
    await expect(settings).to_have_url(person.at(OVERVIEW.replace("/en/", "/id/")))
    await expect(settings.locator("html")).to_have_attribute("data-theme", "merpati-dark")


async def test_the_audit_log_tells_who_did_what_and_is_filtered_and_paged(settings: Page, person: Person) -> None:
    async with person.api() as http:
        await http.post(f"{BASE}/keys", json={"name": "Web shop"})
        for number in range(PAGE):
            await http.patch("/api/customer/account", json={"name": f"Toko {number}"})
        await http.get("/api/auth/me", headers={"Authorization": "Bearer nothing"})
    await visit(settings, person, SETTINGS)
    await settings.get_by_role("link", name="Audit log").click()
    entries = settings.locator("[data-entry]")
    await expect(entries).to_have_count(PAGE)
    await expect(entries.first).to_contain_text("Account changed")
    await expect(entries.first).to_contain_text(f"name: Toko {PAGE - 1}")
    await expect(entries.first).to_contain_text("Owner")
    await settings.get_by_role("link", name="Older").click()
    await expect(entries.filter(has_text="API key made").filter(has_text="Web shop")).to_have_count(1)
    await settings.get_by_label("What").select_option("API keys")
    await settings.get_by_role("button", name="Find").click()
    await expect(entries.filter(has_text="Web shop")).to_have_count(1)
    await expect(entries.filter(has_text="Account changed")).to_have_count(0)
    await settings.get_by_label("From").fill("2030-01-01")
    await settings.get_by_role("button", name="Find").click()
    await expect(settings.get_by_text("Nothing fits these filters.")).to_be_visible()
