"""One deployment of docker-compose.yml for a test: driven by the compose command line, as a person would."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from infra.local.ports import LOOPBACK, free_port, is_free

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD_TIMEOUT_S = 1_500
"""The first build on a machine fetches and compiles everything."""
COMMAND_TIMEOUT_S = 240
REPLICA_PORTS = 4
API_PORT = 8080
CONTROL_PORT = 8601
SERVICES = ("api", "sessions", "sender", "status", "sessions-simulator")
IMAGES = ("api", "sessions", "sender", "status", "simulator")
TAG = "test"
LEASE_OWNERS = """
import json, os, pymongo
rows = pymongo.MongoClient(os.environ["MONGODB_URL"]).get_default_database()["leases"]
print(json.dumps({row["_id"]: row["owner"] for row in rows.find({"owner": {"$ne": None}})}))
"""
"""A replica names itself in its leases after its machine, which in a container is the container's id."""


class CommandFailed(AssertionError):
    """A container command ended badly; its words are in the message."""

    def __init__(self, command: list[str], outcome: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{' '.join(command)} ended with {outcome.returncode}:\n{outcome.stdout}\n{outcome.stderr}")


def docker(*arguments: str, timeout_s: float = COMMAND_TIMEOUT_S, environment: dict[str, str] | None = None) -> str:
    """What `docker <arguments>` prints; raises CommandFailed."""
    command = ["docker", *arguments]
    outcome = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=environment or dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if outcome.returncode:
        raise CommandFailed(command, outcome)
    return outcome.stdout


class Logins(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `infra.docker.login` prints."""

    email: str
    password: str
    api_key: str
    customer_id: str
    admin_email: str
    admin_password: str


class Composition:
    """The compose file as a project of its own, configured by an `.env` file that holds the secret keys and ports."""

    def __init__(self, directory: Path) -> None:
        self.project = f"merpati-test-{secrets.token_hex(3)}"
        self.secret_keys = f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        first = _free_range(REPLICA_PORTS)
        self._settings = directory / ".env"
        self._settings.write_text(
            f"MERPATI_SECRET_KEYS={self.secret_keys}\n"
            f"MERPATI_API_PORTS={LOOPBACK}:{first}-{first + REPLICA_PORTS - 1}\n"
            f"MERPATI_SIMULATOR_PORT={LOOPBACK}:{free_port(frozenset(range(first, first + REPLICA_PORTS)))}\n"
        )

    def compose(self, *arguments: str, timeout_s: float = COMMAND_TIMEOUT_S, settings: Path | None = None) -> str:
        """`docker compose <arguments>` with the profile `simulator`; what it prints."""
        options = ("--env-file", str(settings or self._settings), "-p", self.project, "--profile", "simulator")
        return docker("compose", *options, *arguments, timeout_s=timeout_s, environment=_environment())

    def build(self) -> None:
        """Build every image, one after another."""
        self.compose("build", timeout_s=BUILD_TIMEOUT_S)

    def up(self, **replicas: int) -> None:
        """Everything up and healthy, with so many replicas: `up(sessions_simulator=2)`."""
        scales = [f"--scale={service.replace('_', '-')}={count}" for service, count in replicas.items()]
        self.compose("up", "-d", "--wait", *scales)

    def down(self, *options: str) -> None:
        """Remove containers and networks, with `-v` volumes too."""
        self.compose("down", "--remove-orphans", *options)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """The containers of a service, as `docker inspect` sees them, in the order of their numbers."""
        ids = self.compose("ps", "-aq", service).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return sorted(found, key=lambda one: int(one["Config"]["Labels"]["com.docker.compose.container-number"]))

    def kill(self, container: str) -> None:
        """SIGKILL; the engine does not start it again by itself."""
        docker("kill", "--signal", "KILL", container)

    def owner(self, lease: str) -> str:
        """The container that holds a lease such as `sender/07`."""
        owners: dict[str, str] = json.loads(self.compose("exec", "-T", "api", "python", "-c", LEASE_OWNERS))
        return owners[lease].rpartition("-")[0]

    def urls(self) -> list[str]:
        """Where the replicas of the API listen."""
        return [_published(one, API_PORT) for one in self.containers("api") if one["State"]["Running"]]

    def simulator_url(self) -> str:
        """The control API of the simulated network."""
        return _published(self.containers("simulator")[0], CONTROL_PORT)

    def logins(self) -> Logins:
        """What the compose file's first lines say to run for the logins and the API key."""
        printed = self.compose("run", "--rm", "-T", "init", "python", "-m", "infra.docker.login")
        return msgspec.json.decode(printed, type=Logins)

    def logs(self) -> str:
        """Everything that all containers have logged."""
        return self.compose("logs", "--no-color")

    def leftovers(self) -> list[str]:
        """What the engine still knows of this project."""
        label = f"label=com.docker.compose.project={self.project}"
        kinds = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
        return [line for kind in kinds for line in docker(*kind, "--filter", label).split()]


def demo(url: str, key: str, simulator_url: str) -> str:
    """`./merpati demo` against this stack; what it prints. Raises CommandFailed when something did not happen."""
    command = [
        sys.executable,
        "-m",
        "infra.local",
        "demo",
        "--url",
        url,
        "--key",
        key,
        "--simulator-url",
        simulator_url,
    ]
    outcome = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=180, check=False)
    if outcome.returncode:
        raise CommandFailed(command[:4], outcome)
    return outcome.stdout


def _environment() -> dict[str, str]:
    """The machine's, without the settings of another deployment; one build at a time."""
    foreign = ("MERPATI_", "COMPOSE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"MERPATI_TAG": TAG, "COMPOSE_PARALLEL_LIMIT": "1"}


def _published(container: dict[str, Any], port: int) -> str:
    bound = container["NetworkSettings"]["Ports"][f"{port}/tcp"][0]
    return f"http://{bound['HostIp']}:{bound['HostPort']}"


def _free_range(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = free_port()
        if all(is_free(port) for port in range(first, first + count)):
            return first
