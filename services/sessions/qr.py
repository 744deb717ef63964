"""When each QR code of a link attempt is shown, and until when it is good."""

from __future__ import annotations

FIRST_CODE_S = 60.0
"""WhatsApp keeps the first code of six for 60 s (whatsmeow, qrchan.go)."""
FURTHER_CODE_S = 20.0


def lifetime_s(number: int) -> float:
    """Seconds for which code `number` (from 0) is good."""
    return FIRST_CODE_S if number == 0 else FURTHER_CODE_S
