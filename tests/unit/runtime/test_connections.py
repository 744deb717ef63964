"""Nothing connects to what a customer names but through the guard of addresses (`libs/runtime/targets.py`).

The engine's own half is `dials_test.go`.
"""

from __future__ import annotations

import ast

import pytest

from tests.unit.runtime.connections_in_code import SOURCES, connections, connections_in

GUARDED = {
    "libs/runtime/targets.py": {".getaddrinfo"},
    "services/api/media/fetching.py": {
        *(".connect_tcp", "httpcore.AnyIOBackend", "httpcore.AsyncConnectionPool", "httpcore.AsyncNetworkBackend"),
    },
    "services/status/webhooks/posting.py": {"aiohttp.ClientSession", "aiohttp.TCPConnector", "socket.socket"},
}
"""What customers name: media, previews and webhooks. Proxies are dialled by the engine."""
OPERATORS = {
    "libs/runtime/bus.py": {".connect", "faststream.NatsBroker", "nats.Client"},  # NATS
    "libs/runtime/pulls.py": {"nats.Client"},
    "libs/runtime/mongo.py": {"pymongo.AsyncMongoClient"},  # MongoDB
    "libs/runtime/service.py": {".connect"},  # both
    "services/api/app.py": {".connect"},  # both
    "services/api/dashboard/pages/simulated.py": {"httpx.AsyncClient"},  # the simulated phones' control API
}
"""What the settings of a deployment name."""
NOTHING: set[str] = set()
NO_CONNECTIONS = {
    "services/api/serving.py": {"socket.socket"},  # listens
    "services/api/media/decoding.py": {"asyncio.create_subprocess_exec"},  # the decoder, which opens no socket
    "services/sessions/engines/worker.py": {"asyncio.create_subprocess_exec"},  # the engine
    "services/sessions/engines/scripted.py": {".connect"},  # the scripted network, in this process
}


def test_nothing_connects_past_the_guard() -> None:
    """What is new here either goes through the guard, or connects to what an operator names: say which, above."""
    assert len(SOURCES) > 100
    assert connections() == GUARDED | OPERATORS | NO_CONNECTIONS


@pytest.mark.parametrize("path", [path for path in GUARDED if path != "libs/runtime/targets.py"])
def test_who_connects_to_what_customers_name_asks_the_guard(path: str) -> None:
    (source,) = (each for each in SOURCES if each.as_posix().endswith(path))
    assert "from libs.runtime.targets import" in source.read_text()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import httpx\nhttpx.get(url)", {"httpx.get"}),
        ("import httpx as h\nasync with h.AsyncClient() as c: ...", {"httpx.AsyncClient"}),
        ("from httpx import AsyncClient as C", {"httpx.AsyncClient"}),
        ("from httpx import *", {"httpx.*"}),
        ("import aiohttp\naiohttp.ClientSession()", {"aiohttp.ClientSession"}),
        ("import aiohttp\nf = aiohttp.request", {"aiohttp.request"}),
        ("import asyncio\nawait asyncio.open_connection('a', 1)", {"asyncio.open_connection"}),
        ("from asyncio import open_connection", {"asyncio.open_connection"}),
        ("from asyncio import streams\nstreams.open_connection('a', 1)", {"asyncio.open_connection"}),
        ("await loop.create_connection(f, 'a', 1)", {".create_connection"}),
        ("await loop.create_datagram_endpoint(f)", {".create_datagram_endpoint"}),
        ("await loop.sock_connect(s, a)", {".sock_connect"}),
        ("import socket\nsocket.create_connection(a)", {"socket.create_connection"}),
        ("from socket import socket as s", {"socket.socket"}),
        ("made.connect(address)", {".connect"}),
        ("import urllib.request", {"urllib.request"}),
        ("from urllib import request", {"urllib.request"}),
        ("from urllib.request import urlopen", {"urllib.urlopen"}),
        ("import http.client", {"http"}),
        ("import smtplib", {"smtplib"}),
        ("import subprocess\nsubprocess.run(['curl', url])", {"subprocess"}),
        ("import asyncio\nasyncio.create_subprocess_shell(url)", {"asyncio.create_subprocess_shell"}),
        ("import os\nos.system('curl')", {"os.system"}),
        ("import requests", {"requests"}),
        ("import websockets", {"websockets"}),
        ("from websockets.asyncio.client import connect", {"websockets"}),
        ("import aiosmtplib", {"aiosmtplib"}),
        ("import pycurl", {"pycurl"}),
        ("import importlib\nimportlib.import_module('httpx')", {"importlib.import_module"}),
        ("__import__('httpx')", {"__import__"}),
        ("def f():\n    import httpx\n    httpx.Client()", {"httpx.Client"}),
        ("from pymongo import AsyncMongoClient", {"pymongo.AsyncMongoClient"}),
        ("import httpx\nhttpx.URL('a')\nexcept_ = httpx.HTTPError", NOTHING),
        ("from urllib.parse import urlsplit", NOTHING),
        ("import socket\nsocket.AF_INET", NOTHING),
    ],
)
def test_what_connects_is_found(code: str, found: set[str]) -> None:
    assert connections_in(ast.parse(code)) == found
