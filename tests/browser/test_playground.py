"""The playground: messages of every kind are sent, and their way is seen without a reload."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Page, Route, expect

from tests import media
from tests.browser.people import PLAYGROUND, Person, device, visit
from tests.e2e.handsets import Network, unused_number
from tests.e2e.wire import BASE, Json
from tests.processes import PATIENCE_S

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
FILES = {
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64,
    "audio": b"ID3\x03\0" + b"\0" * 64,
    "voice": b"OggS\0\x02" + b"\0" * 20 + b"\x01\x13" + b"OpusHead\x01\x01" + b"\0" * 9,
    "document": b"%PDF-1.4\n",
    "sticker": media.picture("WEBP", (64, 64)),
}
Fields = dict[str, str]
SENT: dict[str, tuple[Fields, Json]] = {
    "text": ({"text": "Selamat pagi!"}, {"text": "Selamat pagi!"}),
    "image": ({"caption": "Our pigeon"}, {"caption": "Our pigeon"}),
    "video": ({"caption": "It flies"}, {"caption": "It flies"}),
    "audio": ({}, {}),
    "voice": ({}, {}),
    "document": ({"fileName": "bill.pdf", "caption": "Bill"}, {"fileName": "bill.pdf", "caption": "Bill"}),
    "sticker": ({}, {}),
    "location": (
        {"latitude": "-6.5", "longitude": "106.5", "name": "Monas"},
        {"latitude": -6.5, "longitude": 106.5, "name": "Monas"},
    ),
    "contact": ({"contactName": "Bu Sari", "phones": "081234567890\n0215550123"}, {"name": "Bu Sari"}),
    "poll": (
        {"question": "Soto or rawon?", "options": "Soto\nRawon", "selectable": "2"},
        {"question": "Soto or rawon?", "options": ["Soto", "Rawon"], "selectable": 2},
    ),
    "reaction": ({"emoji": "👍"}, {"emoji": "👍"}),
}
"""What is filled in for each type, and what the phone shows then; a reaction is to what was sent last."""
LOGGED = 10


@pytest_asyncio.fixture(loop_scope="package")
async def play(signed_in: Page, person: Person, network: Network) -> Page:
    """The playground of somebody with a connected device."""
    await device(person, network)
    await visit(signed_in, person, PLAYGROUND)
    return signed_in


async def send(page: Page) -> None:
    await page.get_by_role("button", name="Send", exact=True).click()


async def reached(page: Page, status: str) -> None:
    await expect(page.locator(f"[data-step-of={status}]")).to_have_attribute("data-reached", "yes")


async def test_a_text_is_seen_on_its_whole_way(play: Page, network: Network) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    await play.locator("[name=text]").fill("Selamat pagi!")
    await send(play)
    await reached(play, "sent")
    await reached(play, "delivered")
    [shown] = await network.arrived(number)
    assert shown["text"] == "Selamat pagi!"
    await network.phones.read(number, shown["from"])
    await reached(play, "read")
    row = play.locator("[data-message]").first
    await expect(row).to_contain_text("Selamat pagi!")
    await expect(row).to_contain_text("Read")


@pytest.mark.parametrize(
    ("written", "shown"),
    [("0812-3456-7890", "Goes to +62 812-3456-7890"), ("+1 202 555 0123", "Goes to +1 202-555-0123")],
    ids=["as-dialled", "international"],
)
async def test_the_number_is_shown_as_the_gateway_reads_it(play: Page, written: str, shown: str) -> None:
    await play.locator("[name=to]").press_sequentially(written)
    await expect(play.locator("#number")).to_contain_text(shown)


@pytest.mark.parametrize(("is_there", "said"), [(True, "On WhatsApp"), (False, "Not on WhatsApp")], ids=["there", "no"])
async def test_whatsapp_is_asked_about_a_number_once_the_typing_rests(
    play: Page, network: Network, is_there: bool, said: str
) -> None:
    number = await network.person() if is_there else unused_number()
    asked: list[str] = []
    play.on("request", lambda request: asked.append(request.url) if "/number/check" in request.url else None)
    await play.locator("[name=to]").press_sequentially(f"+{number}")
    await expect(play.locator("#number [data-verdict]")).to_contain_text(said)
    assert len(asked) == 1


async def test_a_number_that_nobody_could_be_asked_about_has_no_tick(signed_in: Page, person: Person) -> None:
    async with person.api() as http:
        created = await http.post(f"{BASE}/sessions", json={"name": "Counter", "engine": "simulator"})
    await signed_in.goto(
        person.at(f"{PLAYGROUND}/number/check?to=081234567890&session={created.json()['session']['id']}")
    )
    verdict = signed_in.locator("[data-verdict=unchecked]")
    await expect(verdict).to_have_text("Not checked: The session is not connected to WhatsApp.")


async def test_the_whole_number_is_judged_though_the_answer_to_its_beginning_is_late(play: Page) -> None:
    beginnings: asyncio.Queue[Route] = asyncio.Queue()

    async def hold_beginnings(route: Route) -> None:
        if route.request.url.endswith("7890"):
            await route.continue_()
        else:
            await beginnings.put(route)

    await play.route("**/playground/number?*", hold_beginnings)
    async with asyncio.timeout(PATIENCE_S):
        for digits in ("0812", "-3456"):
            await play.locator("[name=to]").press_sequentially(digits)
            await beginnings.get()
    await play.locator("[name=to]").press_sequentially("-7890")
    await expect(play.locator("#number")).to_contain_text("Goes to +62 812-3456-7890")


async def test_a_wrong_number_is_told_while_it_is_typed(play: Page) -> None:
    await play.locator("[name=to]").press_sequentially("0812")
    await expect(play.locator("#number")).to_contain_text("too short")


async def test_a_picture_is_previewed_uploaded_and_arrives(play: Page, network: Network, picture: Path) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    await play.get_by_role("radio", name="Image").check()
    await play.locator("[name=file]").set_input_files(picture)
    await expect(play.locator("[data-preview] img")).to_be_visible()
    await play.locator("[name=caption]").fill("Our pigeon")
    await send(play)
    await reached(play, "delivered")
    [shown] = await network.arrived(number)
    assert shown["type"] == "image"
    assert shown["caption"] == "Our pigeon"


async def test_a_second_file_is_not_sent_under_what_was_said_of_the_first(
    play: Page, network: Network, picture: Path
) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    await play.get_by_role("radio", name="Image").check()
    await play.locator("[name=file]").set_input_files(picture)
    await play.locator("[name=caption]").fill("Our pigeon")
    bill = FilePayload(name="bill.pdf", mimeType="application/pdf", buffer=FILES["document"])
    await play.locator("[name=file]").set_input_files(bill)
    await send(play)
    await reached(play, "delivered")
    [shown] = await network.arrived(number)
    assert (shown["type"], shown["fileName"], shown.get("caption", "")) == ("document", "bill.pdf", "")


async def test_a_change_of_the_form_during_an_upload_changes_nothing_of_what_was_sent(
    play: Page, network: Network, picture: Path
) -> None:
    number = await network.person()
    uploads: asyncio.Queue[Route] = asyncio.Queue()
    await play.route("**/media", uploads.put)
    await play.locator("[name=to]").fill(number)
    await play.get_by_role("radio", name="Image").check()
    await play.locator("[name=file]").set_input_files(picture)
    await play.locator("[name=caption]").fill("Our pigeon")
    await send(play)
    uploading = await asyncio.wait_for(uploads.get(), PATIENCE_S)
    await play.locator("[name=caption]").fill("Another one")
    await play.get_by_role("radio", name="Text", exact=True).check()
    await uploading.continue_()
    [shown] = await network.arrived(number)
    assert (shown["type"], shown["caption"]) == ("image", "Our pigeon")


async def test_a_message_that_failed_ends_in_red_and_was_never_on_its_way(play: Page, network: Network) -> None:
    await play.locator("[name=to]").fill(unused_number())
    await send(play)
    await expect(play.locator("[data-bad-end] [data-end]:visible")).to_have_text("Failed")
    await expect(play.locator("[data-step-of=queued]")).not_to_have_attribute("data-reached", "yes")
    await expect(play.locator("[data-step-of=sent]")).to_be_hidden()
    await expect(play.locator("[data-failure]")).to_contain_text("not on WhatsApp")
    await play.locator("[name=to]").fill(await network.person())
    await send(play)
    await reached(play, "sent")
    await expect(play.locator("[data-bad-end]")).to_be_hidden()


def contents_with(picture: Path) -> dict[str, bytes]:
    """The file of each type that has one."""
    return {**FILES, "image": picture.read_bytes()}


async def test_a_message_of_each_type_arrives_at_the_phone(play: Page, network: Network, picture: Path) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    contents = contents_with(picture)
    for count, (kind, (fields, shown)) in enumerate(SENT.items(), start=1):
        await play.locator(f"[name=type][value={kind}]").check()
        if kind in contents:
            file = FilePayload(name=f"{kind}.bin", mimeType="application/octet-stream", buffer=contents[kind])
            await play.locator("[name=file]").set_input_files(file)
        for name, value in fields.items():
            await play.locator(f"#play [name={name}]").fill(value)
        await send(play)
        row = (await network.arrived(number, count))[-1]
        assert (row["type"], {name: row[name] for name in shown}) == (kind, shown)
        if kind in contents:
            assert row["sha256"] == hashlib.sha256(contents[kind]).hexdigest()
            await play.get_by_role("button", name="Remove the file").click()
        await expect(play.locator("#send-log [data-message]")).to_have_count(min(count, LOGGED))
    await expect(play.locator("#send-log [data-message] [data-status=delivered]")).not_to_have_count(0)


async def test_what_goes_along_with_a_message_arrives(play: Page, network: Network) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    await send(play)
    await reached(play, "delivered")
    first = await play.locator("[data-now-id]").inner_text()
    await play.get_by_text("More", exact=True).click()
    await play.locator("[name=replyTo]").fill(first)
    await play.locator("[name=mentions]").fill(number)
    await play.locator("#play [name=text]").fill(f"@{number} Halo")
    await send(play)
    told, answer = await network.arrived(number, 2)
    assert (answer["replyTo"], answer["mentions"]) == (told["id"], [number])


async def test_a_message_waits_for_the_time_that_was_chosen(play: Page, network: Network) -> None:
    await play.locator("[name=to]").fill(await network.person())
    await play.get_by_text("More", exact=True).click()
    at = datetime.now() + timedelta(days=2)  # noqa: DTZ005 - as the field takes it: the time of this machine
    await play.locator("[name=sendAt]").fill(f"{at:%Y-%m-%dT%H:%M}")
    await send(play)
    await expect(play.locator("#send-log [data-status=queued]")).to_have_count(1)


async def test_a_document_comes_from_wherever_it_is(play: Page, person: Person, network: Network) -> None:
    number = await network.person()
    await play.locator("[name=to]").fill(number)
    await play.get_by_role("radio", name="Document").check()
    sources = {
        "Base64": ("data", "data:text/plain;base64,SGFsbyE="),
        "Address": ("url", await play.evaluate("document.querySelector('link[rel=icon]').href")),
        "Id": ("mediaId", await uploaded(person)),
    }
    for count, (source, (field, value)) in enumerate(sources.items(), start=1):
        await play.get_by_role("radio", name=source, exact=True).check()
        await play.locator(f"[name={field}]").fill(value)
        await play.locator("[name=fileName]").fill(f"{field}.bin")
        await send(play)
        shown = (await network.arrived(number, count))[-1]
        assert (shown["type"], shown["fileName"]) == ("document", f"{field}.bin")
    await play.get_by_role("radio", name="File", exact=True).check()
    await play.locator("[name=fileName]").fill("")
    dropped = await play.evaluate_handle(
        "() => { const held = new DataTransfer(); held.items.add(new File(['x'], 'dropped.txt')); return held; }"
    )
    await play.locator("[data-drop]").dispatch_event("drop", {"dataTransfer": dropped})
    await send(play)
    assert (await network.arrived(number, 4))[-1]["fileName"] == "dropped.txt"


async def uploaded(person: Person) -> str:
    """The id of a file that was uploaded elsewhere."""
    async with person.api() as http:
        files = {"file": ("bill.pdf", b"%PDF-1.4\n", "application/pdf")}
        return str((await http.post(f"{BASE}/media", files=files)).json()["mediaId"])


async def test_what_cannot_be_sent_is_told_before_it_is(play: Page) -> None:
    await play.get_by_role("radio", name="Document").check()
    await send(play)
    await expect(play.get_by_role("alert")).to_contain_text("Choose a file")


async def test_the_same_request_is_shown_for_programs_without_the_key(
    play: Page, person: Person, network: Network
) -> None:
    await play.locator("[name=to]").fill("081234567890")
    shown = play.locator("[data-shown-code]")
    for language, sign in (("curl", "curl -X POST"), ("Python", "import httpx"), ("JavaScript", "await fetch(")):
        await play.get_by_role("button", name=language, exact=True).click()
        await expect(shown).to_contain_text(sign)
        await expect(shown).to_contain_text(f"{BASE}/sessions/")
        await expect(shown).not_to_contain_text(person.tenant.key)
