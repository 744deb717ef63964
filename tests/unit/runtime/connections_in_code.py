"""Finds in the source of services and libs what opens a connection, or starts what could."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = tuple(sorted(path for folder in ("services", "libs") for path in (ROOT / folder).rglob("*.py")))

OURS = frozenset({"services", "libs"})
WITHOUT_CONNECTIONS = frozenset(
    {
        *("PIL", "argon2", "av", "bson", "certifi", "cryptography", "filetype", "gridfs", "jinja2", "jwt", "litestar"),
        *("msgspec", "phonenumbers", "python_multipart", "qrcode", "structlog", "uvloop", "yarl"),
    }
)
"""Libraries that connect to nothing of their own accord, or only with a client that another one made."""
OPENING = {
    "aiohttp": r"ClientSession|request|\w*Connector",
    "anyio": r"connect_\w+|create_\w*udp\w*|open_process|run_process|getaddrinfo",
    "asyncio": r"open_\w+|create_subprocess_\w+",
    "faststream": r"\w*Broker",
    "httpcore": r"\w*(Pool|Backend|Connection|Proxy|request|stream)",
    "httpx": r"(Async)?Client|get|options|head|post|put|patch|delete|request|stream|\w*Transport",
    "importlib": r"import_module|__import__",
    "nats": r"connect|NATS|Client",
    "os": r"system|popen|exec\w*|spawn\w*|posix_spawn\w*|fork\w*",
    "pymongo": r"(Async)?MongoClient",
    "socket": r"socket|create_connection|fromfd|getaddrinfo|gethostby\w+|getnameinfo|socketpair",
    "ssl": r"get_server_certificate|SSLSocket",
    "urllib": r"request|urlopen|\w*Opener\w*",
    "uvicorn": r"run",
}
"""The names that open a connection or start a process, by library. Of other libraries any use is reported."""
STANDARD = frozenset(
    {
        *("asyncore", "asynchat", "ctypes", "ftplib", "http", "imaplib", "multiprocessing", "nntplib", "poplib", "pty"),
        *("smtplib", "smtpd", "socketserver", "subprocess", "telnetlib", "webbrowser", "wsgiref", "xmlrpc"),
    }
)
"""Modules of the standard library that connect, or start what could: told as a whole."""
METHODS = re.compile(
    r"connect|connect_(ex|tcp|unix_socket)|create_(unix_)?connection|create_datagram_endpoint|sock_(connect|sendto)|"
    r"open_(unix_)?connection|getaddrinfo|subprocess_(exec|shell)|urlopen|urlretrieve|sendto"
)
"""Calls that connect or resolve, whatever they are made on."""
BUILT_IN = frozenset({"__import__", "eval", "exec", "compile"})


def connections_in(module: ast.Module) -> set[str]:
    """The names in a module that open a connection: `httpx.AsyncClient`, `.connect`, or `smtplib` as a whole."""
    names = _imported(module)
    return {
        found
        for node in ast.walk(module)
        for found in (*_in_import(node), *_in_use(node, names), *_in_call(node, names))
    }


def _imported(module: ast.Module) -> dict[str, str]:
    """What each imported name stands for, in full."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        match node:
            case ast.Import(names=imported):
                names |= {each.asname or each.name.partition(".")[0]: _whole(each) for each in imported}
            case ast.ImportFrom(module=str(origin), names=imported, level=0):
                names |= {each.asname or each.name: f"{origin}.{each.name}" for each in imported}
            case _:
                continue
    return names


def _whole(imported: ast.alias) -> str:
    return imported.name if imported.asname else imported.name.partition(".")[0]


def _in_import(node: ast.AST) -> Iterator[str]:
    """Imported libraries of which any use is reported, and imported names that open connections."""
    match node:
        case ast.Import(names=imported):
            origins = [each.name for each in imported]
        case ast.ImportFrom(module=str(origin), names=imported, level=0):
            origins = [f"{origin}.{each.name}" for each in imported]
        case _:
            return
    for origin in origins:
        root = origin.partition(".")[0]
        if root in STANDARD or not (root in OURS | WITHOUT_CONNECTIONS | OPENING.keys() or _is_standard(root)):
            yield root
        elif _is_opening(origin) or (root in OPENING and origin.endswith(".*")):
            yield _short(origin)


def _in_use(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """Opening names of a library: `socket.create_connection`, whether called or handed on."""
    if isinstance(node, ast.Attribute) and (dotted := _dotted(node, names)) and _is_opening(dotted):
        yield _short(dotted)


def _in_call(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) as called) if METHODS.fullmatch(name):
            dotted = _dotted(called, names)
            if dotted is None or not _is_opening(dotted):
                yield f".{name}"
        case ast.Call(func=ast.Name(id=name)) if name in BUILT_IN:
            yield name
        case _:
            return


def _dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """`http.get` in full, where its beginning was imported."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=value, attr=name):
            owner = _dotted(value, names)
            return None if owner is None else f"{owner}.{name}"
        case _:
            return None


def _is_opening(dotted: str) -> bool:
    root, _, rest = dotted.partition(".")
    return root in OPENING and re.fullmatch(OPENING[root], rest.rpartition(".")[2]) is not None


def _short(dotted: str) -> str:
    return f"{dotted.partition('.')[0]}.{dotted.rpartition('.')[2]}"


def _is_standard(root: str) -> bool:
    return root in sys.stdlib_module_names


def connections() -> dict[str, set[str]]:
    """Those of every file that has any."""
    found = {path.relative_to(ROOT).as_posix(): connections_in(ast.parse(path.read_text())) for path in SOURCES}
    return {path: names for path, names in found.items() if names}
