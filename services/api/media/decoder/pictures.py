"""Decodes a picture to the end, to know that phones can."""

from __future__ import annotations

import io

from PIL import Image, ImageSequence

from services.api.media.decoder.scans import has_too_many_scans

CPU_S = 15
"""Of a picture of the most pixels in any format, several times over."""
MOST_PIXELS = 64_000_000
MOST_PIXELS_OF_ALL = 256_000_000
"""Of all pictures of an animation; those beyond are not looked at."""
FEWEST_PIXELS = 100_000
"""So many count for the smallest picture of an animation: it costs time besides."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
TRIED = (*FORMATS, "MPO")  # a JPEG with several pictures is found out to be one only when it is read
Image.MAX_IMAGE_PIXELS = None  # the size is looked at here


def load() -> None:
    """Have Pillow import all that it imports late, by decoding a moving picture of each format."""
    dot = Image.new("RGB", (1, 1))
    for form in TRIED:
        file = io.BytesIO()
        dot.save(file, form, save_all=form != "JPEG", append_images=[Image.new("RGB", (1, 1), "red")])
        fault_of(file.getvalue())


def fault_of(file: bytes) -> str | None:
    """Why the picture cannot be shown: `empty`, `huge`, `scans`, `damaged`; None when it can."""
    if has_too_many_scans(file):
        return "scans"
    try:
        with Image.open(io.BytesIO(file), formats=FORMATS) as picture:
            if 0 in picture.size:
                return "empty"
            if picture.width * picture.height > MOST_PIXELS:
                return "huge"
            picture.verify()
        with Image.open(io.BytesIO(file), formats=FORMATS) as picture:
            _decode(picture)
    except MemoryError:
        return "huge"
    except Exception:  # whatever a decoder raises at a hostile file says the same
        return "damaged"
    return None


def _decode(picture: Image.Image) -> None:
    left = MOST_PIXELS_OF_ALL
    for shown in ImageSequence.Iterator(picture):
        shown.load()
        left -= max(FEWEST_PIXELS, shown.width * shown.height)
        if left < 0:
            return
