"""Where things of this checkout are."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = CHECKOUT / ".merpati"
"""What is built or fetched for this checkout, whatever data directory is used."""
