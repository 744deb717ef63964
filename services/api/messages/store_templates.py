"""Templates in MongoDB, and their index."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument

from libs.contracts.records import Record
from libs.runtime.mongo import Database, from_document, from_documents, to_document

INDEXES: dict[str, list[IndexModel]] = {
    "templates": [IndexModel([("customerId", ASCENDING), ("name", ASCENDING)], unique=True)],
}


class Template(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `templates`, written by api: a text with variables; `name` is unique for the customer."""

    name: str
    content: str
    variables: list[str]
    """Those in the content, in their order."""
    description: str | None = None
    created_at: datetime
    updated_at: datetime


async def templates_by_name(database: Database, customer_id: str, *, limit: int, offset: int) -> list[Template]:
    """One page of the customer's templates."""
    found = database.templates.find({"customerId": customer_id}).sort([("name", ASCENDING)]).skip(offset).limit(limit)
    return from_documents(Template, await found.to_list())


async def templates_of(database: Database, customer_id: str, *, most: int) -> int:
    """How many the customer has, counted up to `most`."""
    return await database.templates.count_documents({"customerId": customer_id}, limit=most)


async def template_by_id(database: Database, customer_id: str, template_id: str) -> Template | None:
    """The customer's template with this id."""
    document = await database.templates.find_one({"_id": template_id, "customerId": customer_id})
    return None if document is None else from_document(Template, document)


async def add_template(database: Database, template: Template) -> None:
    """Store a new one. Raises DuplicateKeyError (name taken)."""
    await database.templates.insert_one(to_document(template))


async def change_template(
    database: Database, customer_id: str, template_id: str, values: dict[str, Any]
) -> Template | None:
    """Set these fields; the template as it is then, None when there is none. Raises DuplicateKeyError (name taken)."""
    document = await database.templates.find_one_and_update(
        {"_id": template_id, "customerId": customer_id}, {"$set": values}, return_document=ReturnDocument.AFTER
    )
    return None if document is None else from_document(Template, document)


async def remove_template(database: Database, customer_id: str, template_id: str) -> Template | None:
    """Delete it; what it was, None when there was none."""
    document = await database.templates.find_one_and_delete({"_id": template_id, "customerId": customer_id})
    return None if document is None else from_document(Template, document)
