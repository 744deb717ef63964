"""`python -m infra.docker.init`: makes a deployment's replica set, streams and first rows, then ends. May run twice."""

from __future__ import annotations

import asyncio
import os
import sys

from infra import bootstrap, topology
from infra.docker.accounts import account_settings
from infra.docker.replica_set import NotWritableError, wait_until_writable
from libs.runtime.crypto import KeyRingError
from libs.runtime.settings import SettingsError

MONGODB_TIMEOUT_S = 120
NATS_TIMEOUT_S = 120


def main() -> int:
    """0 when all is there; 2 when the settings are wrong. Prints no secret: this is the log of a container."""
    nats_url = os.environ.get("NATS_URL", "nats://nats:4222")
    try:
        settings = account_settings(os.environ)
    except (SettingsError, KeyRingError) as error:
        return _failed(2, error)
    try:
        wait_until_writable(settings.mongodb_url, MONGODB_TIMEOUT_S)
        sys.stdout.write("MongoDB takes writes\n")
        if asyncio.run(topology.make_streams(nats_url, timeout_s=NATS_TIMEOUT_S)):
            return 1
        done = asyncio.run(bootstrap.run(settings))
    except NotWritableError as error:
        return _failed(1, error)
    except TimeoutError:
        return _failed(1, f"no NATS server answers at {nats_url} after {NATS_TIMEOUT_S} s")
    sys.stdout.write(f"the first rows are there: customer {done.customer_id}\n")
    return 0


def _failed(code: int, reason: object) -> int:
    sys.stderr.write(f"{reason}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
