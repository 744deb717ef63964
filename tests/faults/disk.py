"""A disk of its own that loses its power: ext4 on a loop device, shut down so that nothing more reaches it."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SHUT_DOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN (linux/fs/ext4/ext4.h): _IOR('X', 125, __u32)."""
WITHOUT_FLUSHING = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what the journal has not written yet is lost, as when the power goes."""
SIZE_BYTES = 16 * 1024**3
"""As large as the streams may grow; the image is sparse."""


class Disk:
    """A file system under `place`. After `lose_power` it answers every access with an error, until `plug_in`."""

    def __init__(self, image: Path, place: Path) -> None:
        self._image, self.place = image, place

    def make(self) -> None:
        """An empty file system, mounted."""
        with self._image.open("wb") as image:
            image.truncate(SIZE_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.place.mkdir()
        self.plug_in()

    def lose_power(self) -> None:
        """From now on nothing reaches the disk: neither what is in memory nor what the journal still holds there."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, SHUT_DOWN, struct.pack("I", WITHOUT_FLUSHING))
        finally:
            os.close(handle)

    def unplug(self) -> None:
        """Forget everything in memory. Nobody may have a file open there."""
        _run("umount", str(self.place))

    def plug_in(self) -> None:
        """Mount what the disk holds; the journal is replayed."""
        _run("mount", "-o", "loop", str(self._image), str(self.place))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def disk(directory: Path) -> Generator[Disk]:
    """A disk in `directory`, gone at the end."""
    made = Disk(directory / "disk.img", directory / "disk")
    made.make()
    try:
        yield made
    finally:
        if os.path.ismount(made.place):
            made.unplug()
