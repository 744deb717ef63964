"""Run a program that dies with its parent: `python tether.py PARENT_PID SIGNAL program arguments...`.

A wrapper rather than `preexec_fn`, which forks a threaded interpreter; `prctl` survives `exec`, so the program keeps
this process's id.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent, signal_number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before prctl: nobody would ever tell us
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - our own program, no shell wanted
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
