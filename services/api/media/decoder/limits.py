"""Takes from this process what decoding does not need (setrlimit, which needs no rights)."""

from __future__ import annotations

import resource

MEMORY_BYTES = 1024 * 1024 * 1024
"""Of address space, the libraries' own included; a picture of the most pixels takes half of it."""
CPU_S = 30


def confine() -> None:
    """From now on no file or socket can be opened, nothing is written to files, and memory and CPU time are bounded."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
