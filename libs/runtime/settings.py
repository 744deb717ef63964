"""Reads a service's settings Struct from the environment, once, and reports every fault together."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
UNPREFIXED = {"nats_url", "mongodb_url"}


class SettingsError(Exception):
    """Some settings are missing or wrong; `faults` holds one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("wrong settings: " + "; ".join(faults))


def variable_of(field: str) -> str:
    """The environment variable of a settings field: `health_port` is read from `MERPATI_HEALTH_PORT`."""
    return field.upper() if field in UNPREFIXED else f"MERPATI_{field.upper()}"


def read(settings: type[T], environ: Mapping[str, str]) -> T:
    """Read `settings` from `environ`; an empty variable counts as unset. Raises SettingsError."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(settings):
        name = variable_of(field.name)
        text = environ.get(name, "")
        if text == "":
            if field.required:
                faults.append(f"{name} is not set")
            continue
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise SettingsError(faults)
    return settings(**values)


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service reads."""

    nats_url: str
    """Where NATS listens, such as `nats://127.0.0.1:4222`."""
    mongodb_url: str
    """MongoDB with the database's name as its path."""
    secret_keys: str
    """Key ring: `<id>:<base64 of 32 bytes>[,...]`; the first encrypts, all decrypt."""
    shards: int = 32
    """Number of shards; fixed for the life of a deployment."""
    replica: str = msgspec.field(default_factory=platform.node)
    """Name of this process in logs and in lease rows; the name of its machine, or container, unless set."""
    health_host: str = "127.0.0.1"
    """Address on which `/livez` and `/readyz` answer."""
    health_port: int = 0
    """Port of `/livez` and `/readyz`; 0 takes a free one."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""
    crash_at: str = ""
    """For tests only: the crash point at which this process kills itself, such as `sender.after_write`."""
