"""`python -m tests.bench.page`: how soon the first page can be used in a browser that has seen nothing of it before."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from infra.local import machine
from tests.browser.conftest import FLAGS
from tests.browser.people import OVERVIEW, Person, live, sign_in
from tests.e2e.tenants import make_tenant
from tests.stack import running_stack

VISITS = 9
TIMES = """() => {
    const [visit] = performance.getEntriesByType("navigation");
    const parts = [visit, ...performance.getEntriesByType("resource")];
    return [
        visit.responseStart,
        visit.domContentLoadedEventEnd,
        parts.reduce((sum, part) => sum + part.encodedBodySize, 0) / 1000,
    ];
}"""
"""Scripts are modules: at DOMContentLoaded they have run, and the page can be used."""


async def measured() -> None:
    """Print the medians, and the worst."""
    with tempfile.TemporaryDirectory() as data:
        async with running_stack(Path(data), "--networks", "scripted") as stack, async_playwright() as playwright:
            person = Person(tenant=await make_tenant(stack))
            browser = await playwright.chromium.launch(executable_path=machine.chromium(), args=FLAGS)
            visits = [await _visit(browser, person) for _ in range(VISITS)]
            await browser.close()
    for name, values in zip(("first byte ms", "usable ms", "kilobytes"), zip(*visits, strict=True), strict=True):
        print(f"{name:14} median {statistics.median(values):7.1f}   worst {max(values):7.1f}")  # noqa: T201


async def _visit(browser: Browser, person: Person) -> list[float]:
    """Sign in with one browser, and visit with another that has its cookies and nothing else."""
    known = await browser.new_context()
    await sign_in(await known.new_page(), person)
    fresh = await browser.new_context(storage_state=await known.storage_state())
    page = await fresh.new_page()
    await page.goto(person.at(OVERVIEW))
    await live(page)
    times: list[float] = await page.evaluate(TIMES)
    await known.close()
    await fresh.close()
    return times


if __name__ == "__main__":
    asyncio.run(measured())
