"""What the images hold, and what they do not."""

from __future__ import annotations

import json

import pytest

from tests.containers.composition import IMAGES, TAG, Composition, docker

pytestmark = [pytest.mark.needs_containers, pytest.mark.timeout(1_800)]
EVERY_IMAGE = pytest.mark.parametrize("service", IMAGES)
GO_FILES = (
    r"find / -xdev \( -name '*.go' -o -name go.mod -o \( -name 'go*' -type f -perm -u+x -path '*/bin/*' \) \) -print"
)
ENGINES = "find / -xdev -name 'merpati-*' -type f -print"


def run(service: str, script: str) -> list[str]:
    """What a shell in a container of this image prints, line by line."""
    return docker(
        "run", "--rm", "--entrypoint", "sh", f"merpati/{service}:{TAG}", "-c", f"{script} 2>/dev/null"
    ).split()


@EVERY_IMAGE
def test_an_image_runs_as_an_unprivileged_user_named_by_number(built: Composition, service: str) -> None:
    image = json.loads(docker("image", "inspect", f"merpati/{service}:{TAG}"))[0]
    assert image["Config"]["User"] == "10001:10001"  # a number: Kubernetes' runAsNonRoot cannot judge a name
    assert run(service, "id -u; id -g") == ["10001", "10001"]


@EVERY_IMAGE
def test_an_image_cannot_change_its_own_code(built: Composition, service: str) -> None:
    assert run(service, "find /app /opt /usr/local -writable ! -type l -print || true") == []


@EVERY_IMAGE
def test_an_image_holds_neither_a_go_toolchain_nor_go_sources(built: Composition, service: str) -> None:
    assert run(service, f"{GO_FILES} || true") == []


@pytest.mark.parametrize(
    ("service", "programs"),
    [
        ("api", []),
        ("sender", []),
        ("status", []),
        ("sessions", ["/usr/local/bin/merpati-engine"]),
        ("simulator", ["/usr/local/bin/merpati-simulator"]),
    ],
)
def test_the_engine_worker_is_in_the_image_of_sessions_alone(
    built: Composition, service: str, programs: list[str]
) -> None:
    assert run(service, f"{ENGINES} || true") == programs


@pytest.mark.parametrize("service", [name for name in IMAGES if name != "simulator"])
def test_an_image_holds_the_code_of_its_own_service_alone(built: Composition, service: str) -> None:
    assert run(service, "ls -d services/[a-z]*/") == [f"services/{service}/"]
