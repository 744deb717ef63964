"""Reads a customer's books and writes what a rule makes of them, in one transaction: nothing is booked by half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession

from libs.contracts.records import Subscription
from libs.runtime.mongo import Client, Database, from_document, from_documents, in_transaction, to_document
from services.api.accounts.records import Customer, Transaction
from services.api.accounts.store_customers import MOST_SUBSCRIPTIONS
from services.api.billing.bookings import Booking, Books

MOST_PENDING_READ = 50


async def book(
    client: Client, database: Database, customer_id: str, rule: Callable[[Books], Booking]
) -> tuple[Booking, Books] | None:
    """Write what `rule` makes of the customer's books; returns it with the books before. None: no such customer.

    Bookings of one customer follow one another. The rule may run several times; what it raises leaves all as it was.
    """

    async def work(session: AsyncClientSession) -> tuple[Booking, Books] | None:
        books = await _books(database, customer_id, session)
        if books is None:
            return None
        booking = rule(books)
        await _write(database, books, booking, session)
        return booking, books

    return await in_transaction(client, work)


async def _books(database: Database, customer_id: str, session: AsyncClientSession) -> Books | None:
    """Writing to the customer's row first is what makes two bookings follow one another.

    It must change the row each time: an update that finds everything as it would set it is no write, and no conflict.
    """
    touched = await database.customers.find_one_and_update(
        {"_id": customer_id}, {"$inc": {"bookings": 1}}, return_document=ReturnDocument.AFTER, session=session
    )
    if touched is None:
        return None
    own: dict[str, Any] = {"customerId": customer_id}
    newest_first = database.subscriptions.find(own, session=session).sort("startedAt", -1).limit(MOST_SUBSCRIPTIONS)
    pending = database.transactions.find({**own, "status": "pending"}, session=session).limit(MOST_PENDING_READ)
    return Books(
        customer=from_document(Customer, touched),
        subscriptions=from_documents(Subscription, await newest_first.to_list()),
        pending=from_documents(Transaction, await pending.to_list()),
    )


async def _write(database: Database, books: Books, booking: Booking, session: AsyncClientSession) -> None:
    own = {"customerId": books.customer.id}
    for row in booking.subscriptions:
        await database.subscriptions.replace_one({"_id": row.id, **own}, to_document(row), upsert=True, session=session)
    known = {each.id for each in books.pending}
    if booking.payment is not None and booking.payment.id not in known:
        await database.transactions.insert_one(to_document(booking.payment), session=session)
    if booking.settlement is not None:
        step = booking.settlement.step
        await database.transactions.update_one(
            {"_id": booking.settlement.transaction_id, **own, "status": "pending"},
            {"$set": {"status": step.status}, "$push": {"history": to_document(step)}},
            session=session,
        )
    if booking.customer is not None:
        suspension = {
            "suspendedAt": booking.customer.suspended_at,
            "suspendedFor": booking.customer.suspended_for,
        }
        await database.customers.update_one({"_id": books.customer.id}, {"$set": suspension}, session=session)
