"""Reads one job: its name on the command line, its file from standard input."""

from __future__ import annotations

import json
import os
import sys

from services.api.media.decoder.limits import confine


def main() -> int:
    """Do the job and write the answer; the limits end what takes too much."""
    os.nice(10)  # who asks for something else is answered first
    job, *options = sys.argv[1:]
    if job == "picture":
        from services.api.media.decoder import pictures

        pictures.load()
        confine(cpu_s=pictures.CPU_S)
        answer, made = {"fault": pictures.fault_of(sys.stdin.buffer.read())}, b""
    else:
        from services.api.media.decoder import sounds

        sounds.load()
        confine()
        answer, made = sounds.heard(sys.stdin.buffer.read(), mimetype=options[0], convert=job == "convert")
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
