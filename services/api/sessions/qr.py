"""Draws QR codes as PNG and SVG, off the event loop, each code once."""

from __future__ import annotations

import asyncio
import base64
import io
from collections import OrderedDict
from collections.abc import Callable

import qrcode
from qrcode.image.pil import PilImage
from qrcode.image.svg import SvgPathImage

CACHED = 256
BOX_PIXELS = 8
BORDER_BOXES = 4


class QrPainter:
    """Draws each code once per format and keeps the last `CACHED` images."""

    def __init__(self) -> None:
        self._images: OrderedDict[tuple[str, str], asyncio.Future[bytes]] = OrderedDict()

    async def png(self, code: str) -> bytes:
        """The code as a PNG file."""
        return await self._drawn("png", code, _png)

    async def svg(self, code: str) -> bytes:
        """The code as an SVG file."""
        return await self._drawn("svg", code, _svg)

    async def data_url(self, code: str) -> str:
        """The PNG as `data:image/png;base64,...`."""
        return "data:image/png;base64," + base64.b64encode(await self.png(code)).decode()

    async def _drawn(self, kind: str, code: str, draw: Callable[[str], bytes]) -> bytes:
        image = self._images.get((kind, code))
        if image is None:
            image = asyncio.ensure_future(asyncio.to_thread(draw, code))
            self._images[kind, code] = image
            while len(self._images) > CACHED:
                self._images.popitem(last=False)
        # Shielded: one client that goes away must not end the drawing for the others.
        return await asyncio.shield(image)


def _png(code: str) -> bytes:
    return _drawing(code, PilImage)


def _svg(code: str) -> bytes:
    return _drawing(code, SvgPathImage)


def _drawing(code: str, factory: type[PilImage] | type[SvgPathImage]) -> bytes:
    file = io.BytesIO()
    image = qrcode.make(
        code,
        error_correction=qrcode.ERROR_CORRECT_L,
        box_size=BOX_PIXELS,
        border=BORDER_BOXES,
        image_factory=factory,
    )
    image.save(file)
    return file.getvalue()
