"""The deployment's key ring: encrypts what must be readable again, and derives keys for single purposes."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12


class KeyRingError(Exception):
    """The key ring's text cannot be read, or a value was sealed with a key that the ring does not hold."""


class KeyRing:
    """AES-256-GCM keys by id; the first seals, all open."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = keys
        self._first = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read `<id>:<base64 of 32 bytes>[,...]`. Raises KeyRingError."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise KeyRingError(f"MERPATI_SECRET_KEYS: key {key_id!r} is not base64") from error
            if len(key) != 32 or not key_id:
                raise KeyRingError(f"MERPATI_SECRET_KEYS: key {key_id!r} needs an id and 32 bytes, it has {len(key)}")
            keys[key_id] = key
        if not keys:
            raise KeyRingError("MERPATI_SECRET_KEYS is empty: it needs <id>:<base64 of 32 bytes>")
        return cls(keys)

    def seal(self, plain: bytes, *, about: str) -> str:
        """Encrypt with the first key; `about` (such as the row's id) is bound to it. Text: `<key id>.<base64>`."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(self._keys[self._first]).encrypt(nonce, plain, about.encode())
        return f"{self._first}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *, about: str) -> bytes:
        """Decrypt what `seal` made. Raises KeyRingError (unknown key) or cryptography's InvalidTag."""
        key_id, _, encoded = sealed.rpartition(".")
        if key_id not in self._keys:
            raise KeyRingError(f"the value was sealed with key {key_id!r}, which MERPATI_SECRET_KEYS does not hold")
        raw = base64.b64decode(encoded)
        return AESGCM(self._keys[key_id]).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], about.encode())

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, such as `jwt`, from the first key (HKDF-SHA256)."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> list[bytes]:
        """The purpose's bytes from every key of the ring, the first key's first: to verify what an older key signed."""
        return [
            HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(key)
            for key in self._keys.values()
        ]
