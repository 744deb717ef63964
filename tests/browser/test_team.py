"""The team: people are added, handed their sign-in, changed, switched off and removed, by owners alone."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.people import DEVICES, OVERVIEW, SETTINGS, TEAM, Person, visit

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
FIRST_PASSWORD = "sandi pertama"


@pytest_asyncio.fixture(loop_scope="package")
async def team(signed_in: Page, person: Person) -> Page:
    """The team of an owner who is alone."""
    await visit(signed_in, person, TEAM)
    return signed_in


def row(page: Page, name: str) -> Locator:
    """Somebody in the list."""
    return page.locator("[data-person]").filter(has_text=name)


async def choose(page: Page, name: str, what: str) -> None:
    """Something from somebody's menu."""
    await row(page, name).get_by_label(f"More for {name}").click()
    await row(page, name).get_by_role("button", name=what, exact=True).click()


async def member(person: Person, name: str = "Budi") -> str:
    """A member of the person's account; the e-mail address."""
    email = f"{name.lower()}.{person.tenant.customer_id}@example.com"
    body = {"name": name, "email": email, "password": FIRST_PASSWORD}
    async with person.api() as http:
        answer = await http.post("/api/customer/users", json=body)
    assert answer.is_success, answer.text
    return email


async def enter(browser: Browser, person: Person, email: str, password: str) -> Page:
    """Another browser in which this is typed at the sign-in."""
    page = await (await browser.new_context(locale="en-US", reduced_motion="reduce")).new_page()
    await page.goto(person.at(OVERVIEW))
    await page.locator("[name=email]").fill(email)
    await page.locator("[name=password]").fill(password)
    await page.locator("main button.btn-primary").click()
    return page


async def test_somebody_is_added_and_signs_in_with_what_was_handed_over(
    team: Page, person: Person, browser: Browser
) -> None:
    email = f"sari.{person.tenant.customer_id}@example.com"
    await team.get_by_role("button", name="Add a person").first.click()
    form = team.get_by_role("dialog", name="Add a person")
    await form.get_by_label("Name").fill("Ibu Sari")
    await form.get_by_label("E-mail address").fill(email)
    await form.get_by_role("button", name="Make one up").click()
    await form.get_by_role("button", name="Add").click()
    handed = team.get_by_label("Sign-in of the person")
    await expect(handed).to_be_visible()
    _, shown_email, password = (await handed.input_value()).split("\n")
    assert (shown_email, len(password)) == (email, 16)
    await team.get_by_role("button", name="Done").click()
    await expect(row(team, "Ibu Sari")).to_contain_text("Member")
    await expect(handed).to_have_value("")
    theirs = await enter(browser, person, email, password)
    await expect(theirs.get_by_role("heading", name="Hello, Ibu Sari")).to_be_visible()


async def test_a_member_sees_neither_the_team_nor_keys_nor_the_audit_log(person: Person, browser: Browser) -> None:
    page = await enter(browser, person, await member(person), FIRST_PASSWORD)
    menu = page.get_by_role("navigation", name="Main menu")
    await expect(menu.get_by_role("link", name="Settings")).to_be_visible()
    await expect(menu.get_by_role("link", name="Team")).to_have_count(0)
    await visit(page, person, DEVICES)
    await expect(page.get_by_text("API key", exact=True)).to_have_count(0)
    await visit(page, person, SETTINGS)
    await expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    await expect(page.get_by_text("An owner of the account can change this.")).to_be_visible()
    for path in (TEAM, f"{SETTINGS}/audit"):
        answer = await page.goto(person.at(path))
        assert answer is not None
        assert answer.status == 403


async def test_somebody_who_is_switched_off_is_signed_out_and_comes_back_when_switched_on(
    team: Page, person: Person, browser: Browser
) -> None:
    email = await member(person)
    theirs = await enter(browser, person, email, FIRST_PASSWORD)
    await expect(theirs).to_have_url(person.at(OVERVIEW))
    await visit(team, person, TEAM)
    await choose(team, "Budi", "Switch off")
    await expect(row(team, "Budi")).to_contain_text("Switched off")
    await theirs.goto(person.at(OVERVIEW))
    await expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    await choose(team, "Budi", "Switch on")
    await expect(row(team, "Budi")).not_to_contain_text("Switched off")
    again = await enter(browser, person, email, FIRST_PASSWORD)
    await expect(again).to_have_url(person.at(OVERVIEW))


async def test_somebody_is_changed_given_a_password_and_removed(team: Page, person: Person, browser: Browser) -> None:
    email = await member(person)
    await visit(team, person, TEAM)
    await choose(team, "Budi", "Change")
    form = team.get_by_role("dialog", name="Change")
    await expect(form.get_by_label("E-mail address")).to_have_value(email)
    await form.get_by_label("Name").fill("Budi Santoso")
    await form.get_by_label("Role").select_option("owner")
    await form.get_by_role("button", name="Save").click()
    await expect(row(team, "Budi Santoso")).to_contain_text("Owner")
    await choose(team, "Budi Santoso", "New password")
    await team.get_by_role("dialog", name="New password").get_by_label("New password", exact=True).fill("sandi kedua")
    await team.get_by_role("button", name="Set the password").click()
    await expect(team.get_by_label("Sign-in of the person")).to_have_value(
        f"{person.at('/en/dashboard')}\n{email}\nsandi kedua"
    )
    await team.get_by_role("button", name="Done").click()
    theirs = await enter(browser, person, email, "sandi kedua")
    await expect(theirs).to_have_url(person.at(OVERVIEW))
    await choose(team, "Budi Santoso", "Remove")
    await team.get_by_role("button", name="Remove for good").click()
    await expect(row(team, "Budi Santoso")).to_have_count(0)
    refused = await enter(browser, person, email, "sandi kedua")
    await expect(refused.get_by_role("alert")).to_contain_text("is not right")


async def test_an_address_that_is_taken_is_told_and_what_was_typed_stays(team: Page, person: Person) -> None:
    await team.get_by_role("button", name="Add a person").first.click()
    form = team.get_by_role("dialog", name="Add a person")
    await form.get_by_label("Name").fill("Second")
    await form.get_by_label("E-mail address").fill(person.tenant.email)
    await form.get_by_label("First password").fill(FIRST_PASSWORD)
    await form.get_by_role("button", name="Add").click()
    await expect(team.get_by_role("alert")).to_contain_text("this e-mail address is taken")
    await expect(form.get_by_label("Name")).to_have_value("Second")
