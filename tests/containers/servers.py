"""NATS and MongoDB from testcontainers, as `--containers` asks for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from infra.local.mongod import TRANSACTION_S

NATS_IMAGE = "nats:2.12-alpine"
MONGO_IMAGE = "mongo:7"
NATS_PORT = 4222
MONGO_PORT = 27017
PRIMARY_TIMEOUT_S = 60


@contextmanager
def nats_container() -> Iterator[str]:
    """A nats-server with JetStream; its URL. A plain container: the library's own waits in a way it deprecates."""
    container = DockerContainer(NATS_IMAGE).with_exposed_ports(NATS_PORT).with_command("-js")
    with container.waiting_for(LogMessageWaitStrategy("Server is ready")):
        yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(NATS_PORT)}"


@contextmanager
def mongodb_container() -> Iterator[str]:
    """A single-node replica set; its URL.

    A plain container: the library's MongoDbContainer always switches on users, which a replica set would need a key
    file for.
    """
    settings = f"--replSet rs0 --bind_ip_all --setParameter transactionLifetimeLimitSeconds={TRANSACTION_S}"
    container = DockerContainer(MONGO_IMAGE).with_exposed_ports(MONGO_PORT).with_command(settings)
    with container:
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(MONGO_PORT))
        _initiate(host, port)
        yield f"mongodb://{host}:{port}/merpati?directConnection=true"


def _initiate(host: str, port: int) -> None:
    deadline = time.monotonic() + PRIMARY_TIMEOUT_S
    with MongoClient[dict[str, Any]](host, port, directConnection=True, serverSelectionTimeoutMS=500) as client:
        while time.monotonic() < deadline:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
                members = [{"_id": 0, "host": f"127.0.0.1:{MONGO_PORT}"}]
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            except PyMongoError:  # still starting, or already initiated: asked again until the deadline
                time.sleep(0.1)
    raise TimeoutError(f"MongoDB in its container did not become primary within {PRIMARY_TIMEOUT_S} s")
