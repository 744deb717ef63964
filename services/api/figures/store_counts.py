"""How many documents a filter lets through: of a whole collection MongoDB knows it without reading them."""

from __future__ import annotations

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from libs.runtime.mongo import Document


async def how_many(collection: AsyncCollection[Document], wanted: dict[str, Any]) -> int:
    """The number of these documents; of all of them it may be off after a crash of mongod."""
    return await (collection.count_documents(wanted) if wanted else collection.estimated_document_count())
