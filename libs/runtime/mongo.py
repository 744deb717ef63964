"""Connects to MongoDB, and turns records into documents and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import pymongo
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

T = TypeVar("T", bound=msgspec.Struct)
Outcome = TypeVar("Outcome")
Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]


def connect(url: str, *, app: str, timeout_ms: int = 10_000, pool: int = 50) -> Client:
    """A client whose writes are acknowledged by a majority, journalled. Connects lazily; one for each process.

    `timeout_ms` bounds every operation, server selection included (PyMongoError after that).
    """
    return AsyncMongoClient(
        url,
        appname=app,
        tz_aware=True,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        retryWrites=True,
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        maxPoolSize=pool,
    )


def database(client: Client) -> Database:
    """The database that the URL names. Raises ConfigurationError when it names none."""
    return client.get_default_database(
        write_concern=WriteConcern(w="majority", j=True), read_concern=ReadConcern("majority")
    )


def to_document(record: msgspec.Struct) -> Document:
    """The record as MongoDB stores it: camelCase names, `_id`, datetimes and bytes as they are."""
    document: Document = msgspec.to_builtins(record, builtin_types=(datetime, bytes))
    return document


def from_document(record: type[T], document: Document) -> T:
    """The record in a document; fields that it does not know are left out. Raises msgspec.ValidationError."""
    return msgspec.convert(document, record)


def from_documents(record: type[T], documents: Iterable[Document]) -> list[T]:
    """`from_document` for many."""
    return [msgspec.convert(document, record) for document in documents]


async def in_transaction(client: Client, work: Callable[[AsyncClientSession], Awaitable[Outcome]]) -> Outcome:
    """All that `work` writes with its session, or nothing, in the time of one operation; it may run several times."""
    with pymongo.timeout(client.options.timeout):
        async with client.start_session() as session:
            return await session.with_transaction(work)
