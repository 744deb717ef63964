"""What people do in front of the dashboard, and the devices that they have there."""

from __future__ import annotations

import re

import httpx
import msgspec
from msgspec.structs import replace
from playwright.async_api import Page, expect

from services.api.access.cookies import COOKIE
from tests.e2e.handsets import Network, linked
from tests.e2e.tenants import PASSWORD, Tenant

OVERVIEW = "/en/dashboard/whatsapp"
DEVICES = f"{OVERVIEW}/devices"
PLAYGROUND = f"{OVERVIEW}/playground"
SETTINGS = "/en/dashboard/settings"
TEAM = "/en/dashboard/team"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a customer."""

    tenant: Tenant

    def api(self) -> httpx.AsyncClient:
        """The same person at the API."""
        return self.tenant.client()

    def at(self, path: str) -> str:
        """The address of a page."""
        return f"{self.tenant.url}{path}"


async def sign_in(page: Page, person: Person, *, path: str = OVERVIEW) -> None:
    """Ask for a page, sign in, and be there, with the live stream open."""
    await page.goto(person.at(path))
    await page.locator("[name=email]").fill(person.tenant.email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.locator("main button.btn-primary").click()
    await expect(page).to_have_url(person.at(path))
    await live(page)


async def enter(page: Page, person: Person, *, path: str = OVERVIEW) -> None:
    """Be on a page as somebody who has signed in before, with the live stream open."""
    await page.context.add_cookies([{"name": COOKIE, "value": person.tenant.token, "url": person.tenant.url}])
    await visit(page, person, path)


async def visit(page: Page, person: Person, path: str) -> None:
    """Go to a page and wait until it is live."""
    await page.goto(person.at(path))
    await live(page)


async def live(page: Page) -> None:
    """Wait until the live stream is open."""
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")


async def has_told(page: Page, words: str) -> None:
    """Wait until the page has said this, even if it is gone again: a toast stays for seconds, whoever looks."""
    await expect(page.locator("html")).to_have_attribute("data-told", re.compile(re.escape(words)))


async def device(person: Person, network: Network, name: str = "Counter") -> str:
    """A device that is connected; its id."""
    async with person.api() as http:
        session, _ = await linked(http, network, name)
    return session


async def member_of(person: Person) -> Person:
    """Somebody else of the same customer, who manages nothing."""
    email = f"member-{person.tenant.email}"
    async with person.api() as http:
        body = {"name": "Member", "email": email, "password": PASSWORD, "role": "member"}
        assert (await http.post("/api/customer/users", json=body)).is_success
    return Person(tenant=replace(person.tenant, email=email))
