"""Which replica set `init` may make: the one of a single host that the URL names, and no other."""

from __future__ import annotations

import pytest

from infra.docker.replica_set import Seed, seed_of


@pytest.mark.parametrize(
    ("url", "seed"),
    [
        ("mongodb://mongo:27017/merpati?replicaSet=rs0", Seed(replica_set="rs0", host="mongo", port=27017)),
        ("mongodb://mongo/merpati?replicaSet=own", Seed(replica_set="own", host="mongo", port=27017)),
        ("mongodb://mongo:27017/merpati", None),
        ("mongodb://one:27017,two:27017/merpati?replicaSet=rs0", None),
    ],
    ids=["as in docker-compose.yml", "default port", "no replica set", "somebody's cluster"],
)
def test_only_a_single_named_host_is_made_a_replica_set(url: str, seed: Seed | None) -> None:
    assert seed_of(url) == seed
