"""Settings of the sessions service."""

from __future__ import annotations

from typing import Literal

from libs.runtime.settings import CommonSettings


class Settings(CommonSettings, frozen=True, kw_only=True):
    """Read once from the environment (`MERPATI_<NAME>`)."""

    network: Literal["whatsapp", "simulator", "scripted"] = "whatsapp"
    """The one network that this process serves."""
    engine_binary: str = ""
    """Path of the engine worker; needed for `whatsapp` and `simulator`."""
    wa_endpoint: str = ""
    """Where the simulated network listens, for `simulator`."""
    wa_root_key: str = ""
    """The simulated network's root key (hex), for `simulator`."""
    runtime_dir: str = ".merpati/run"
    """Folder for the worker's socket and pid file."""
    scripted_control_port: int = 0
    """Port on 127.0.0.1 of the scripted network's control API; 0: none."""
    logins_at_once: int = 50
    """How many sockets are opened at the same time, at most."""
    reconcile_every_s: float = 5.0
    """How often desired and observed state are compared without being asked."""
    device_name: str = "Merpati"
    """What the phone shows in its list of linked devices."""
    private_targets: bool = False
    """Whether proxies of sessions may lead to private networks and to this machine. Only for development."""
    proxy_allowed: str = ""
    """Networks and hosts that proxies may lead to beside public addresses, comma separated; api reads it too."""
