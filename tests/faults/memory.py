"""How much memory a process holds, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path

KILOBYTES_A_MEGABYTE = 1024


def resident_mb(pid: int) -> float:
    """The resident memory (VmRSS) of this process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / KILOBYTES_A_MEGABYTE
    raise ProcessLookupError(f"process {pid} has no memory: it has ended")
