"""Idempotency keys: the same key gives the same message, for a day."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

import msgspec
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from libs.contracts.ids import is_message_id
from libs.contracts.records import Record
from libs.runtime.mongo import Database, from_document, to_document

KEPT_S = 24 * 3600
INDEXES: dict[str, list[IndexModel]] = {
    "idempotency": [
        IndexModel([("createdAt", ASCENDING)], expireAfterSeconds=KEPT_S),
        IndexModel([("messageId", ASCENDING)]),
    ],
}
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyRow(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `idempotency`, written by api before the publish; `id` is a hash of customer and key."""

    message_id: str
    session_id: str
    fingerprint: str
    media_id: str | None
    created_at: datetime


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The row that holds for this request. `replayed`: it was there before; `matches`: with the same request."""

    row: IdempotencyRow
    replayed: bool
    matches: bool


def is_key(text: str) -> bool:
    """Whether `text` can be an idempotency key: 1 to 255 printable ASCII characters without spaces."""
    return _KEY.fullmatch(text) is not None


def fingerprint_of(*parts: object) -> str:
    """The same for the same normalised request."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is taken for: a message, by its session, and the fingerprint of all that it says."""

    customer_id: str
    key: str
    session_id: str
    fingerprint: str
    media_id: str | None
    at: datetime


async def claim(database: Database, request: Request, *, message_id: str) -> Claim:
    """Take the key for this request under `message_id`, or find out who took it before. May run twice."""
    row = IdempotencyRow(
        id=_id_of(request.customer_id, request.key),
        customer_id=request.customer_id,
        message_id=message_id,
        session_id=request.session_id,
        fingerprint=request.fingerprint,
        media_id=request.media_id,
        created_at=request.at,
    )
    while True:
        try:
            await database.idempotency.insert_one(to_document(row))
        except DuplicateKeyError:
            found = await database.idempotency.find_one({"_id": row.id})
            if found is not None:
                return _claimed_before(from_document(IdempotencyRow, found), request)
            # it ended between the two calls: take it
        else:
            return Claim(row=row, replayed=False, matches=True)


async def is_claimed(database: Database, customer_id: str, key: str) -> bool:
    """Whether a request with this key was taken before."""
    taken = {"$or": [{"_id": _id_of(customer_id, key)}, {"messageId": key, "customerId": customer_id}]}
    return await database.idempotency.find_one(taken, {"_id": 1}) is not None


def _id_of(customer_id: str, key: str) -> str:
    return hashlib.sha256(f"{customer_id}\0{key}".encode()).hexdigest()


async def claim_of_message(database: Database, request: Request, message_id: str) -> Claim | None:
    """The claim that gave out this message id to the customer, compared with this request."""
    row = await row_of_message(database, request.customer_id, message_id)
    return None if row is None else _claimed_before(row, request)


def _claimed_before(row: IdempotencyRow, request: Request) -> Claim:
    return Claim(row=row, replayed=True, matches=row.fingerprint == request.fingerprint)


def names_a_message(key: str, at: datetime) -> bool:
    """Whether the key is a message id of the last day: one that an answer of ours gave, to repeat an unclear send."""
    if not is_message_id(key):
        return False
    made_at_ms = int(key.replace("-", "")[:12], 16)
    age = timedelta(milliseconds=at.timestamp() * 1000 - made_at_ms)
    return timedelta(minutes=-5) < age < timedelta(seconds=KEPT_S)


async def row_of_message(database: Database, customer_id: str, message_id: str) -> IdempotencyRow | None:
    """The row that gave out this message id."""
    found = await database.idempotency.find_one({"messageId": message_id, "customerId": customer_id})
    return None if found is None else from_document(IdempotencyRow, found)
