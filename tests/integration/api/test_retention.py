"""What the edge keeps carries the time at which it ends, by the setting of its kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.api.conftest import SiteMaker
from tests.integration.api.messages import PNG

ABOUT = timedelta(minutes=1)


async def test_the_audit_log_ends_by_its_setting(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(audit_days=7) as site:
        await site.sign_in()
        entry = await rows.audit.find_one({"action": "sign_in.succeeded"})
    assert abs(entry["expiresAt"] - datetime.now(UTC) - timedelta(days=7)) < ABOUT
    indexes = await rows.audit.index_information()
    assert indexes["expiresAt_1"]["expireAfterSeconds"] == 0


async def test_media_end_by_their_setting(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(media_days=3) as site:
        answer = await site.call("POST", "/media", files={"file": ("a.png", PNG, "image/png")})
        assert answer.status_code == 200, answer.text
        medium = await rows["media.files"].find_one()
    kept = medium["metadata"]["keepUntil"]
    assert abs(kept - datetime.now(UTC) - timedelta(days=3)) < ABOUT
