"""Takes from this process what decoding does not need (setrlimit, which needs no rights)."""

from __future__ import annotations

import resource

MEMORY_BYTES = 1024 * 1024 * 1024
"""Of address space, the libraries' own included; a picture of the most pixels takes half of it."""
CPU_S = 30
"""To convert an hour of sound."""


def confine(*, cpu_s: int = CPU_S) -> None:
    """From now on no file or socket can be opened, nothing is written to files, and memory and CPU time are bounded."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _bound(what, most, most)
    _bound(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)  # SIGXCPU at the first tells what happened, SIGKILL at the second


def _bound(what: int, soft: int, hard: int) -> None:
    _, given = resource.getrlimit(what)
    hard = hard if given == resource.RLIM_INFINITY else min(hard, given)
    resource.setrlimit(what, (min(soft, hard), hard))
