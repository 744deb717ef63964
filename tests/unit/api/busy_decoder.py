"""A decoder that never comes to an end, within the limits of the real one; a test waits for a second of CPU time."""

from __future__ import annotations

from services.api.media.decoder.limits import confine

confine(cpu_s=1)
while True:
    pass
