"""`python -m infra.topology`: makes the streams as the contract says, and prints what it changed."""

from __future__ import annotations

import asyncio
import os
import sys

from nats.js import JetStreamContext

from libs.runtime.bus import Bus
from libs.runtime.topology import apply, differences

TIMEOUT_S = 30


async def make_streams(url: str, *, timeout_s: float = TIMEOUT_S) -> int:
    """The command's exit code: 1 when a stream still differs. May run twice.

    Raises TimeoutError when NATS is away for so long, or busy with one stream: on a slow disk that takes seconds.
    """
    bus = Bus(url, name="topology")
    await asyncio.wait_for(bus.connect(), timeout_s)
    jetstream = JetStreamContext(bus.nats, timeout=timeout_s)
    changed = await apply(jetstream)
    left = await differences(jetstream)
    await bus.close()
    for name, faults in changed.items():
        sys.stdout.write(f"{name}: {'; '.join(faults)} -> {'made so' if name not in left else 'NOT CHANGED'}\n")
    if not changed:
        sys.stdout.write("streams are as the contract says\n")
    return 1 if left else 0


def main() -> None:
    """Entry point. Reads NATS_URL; exits 1 when a stream could not be made as the contract says."""
    url = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
    try:
        sys.exit(asyncio.run(make_streams(url)))
    except TimeoutError:
        sys.exit(f"no NATS server answers at {url} (set NATS_URL)")


if __name__ == "__main__":
    main()
