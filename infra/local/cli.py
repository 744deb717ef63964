"""The commands of `./merpati` and their options."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

from infra.local.checkout import CHECKOUT
from infra.local.options import NETWORKS, Options, parse_networks
from infra.local.replicas import parse_replicas
from infra.local.screen import CannotRunError, Screen

DATA = CHECKOUT / ".merpati"
LAST_PORT = 65_535
PASSED_ON = ("test", "bench")


def main() -> int:
    """Run the command named on the command line; the exit code."""
    arguments = _parsed(sys.argv[1:])
    try:
        return int(arguments.run(arguments, Screen()))
    except CannotRunError as error:
        print(f"merpati: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parsed(words: list[str]) -> argparse.Namespace:
    """What `test` and `bench` are given belongs to pytest and to the bench: it is passed on unread."""
    parser = _parser()
    if words and words[0] in PASSED_ON:
        arguments = parser.parse_args(words[:1])
        arguments.passed_on = words[1:]
        return arguments
    return parser.parse_args(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="merpati", description="Self-hosted WhatsApp gateway on one machine.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_up(commands.add_parser("up", help="set up what is missing and run everything"))
    _add_demo(commands.add_parser("demo", help="show the main job on the simulated network"))
    _add_link(commands.add_parser("link", help="link a real account from the terminal"))
    commands.add_parser("check", help="format, lint, types, import rules").set_defaults(run=_check)
    commands.add_parser("test", help="run the tests; arguments go to pytest").set_defaults(run=_test)
    commands.add_parser("bench", help="measure, as ratios from one run").set_defaults(run=_bench)
    _add_doctor(commands.add_parser("doctor", help="what this machine has and lacks, and how a running stack is"))
    _add_lock(commands.add_parser("lock", help="write requirements/*.lock from pyproject.toml"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    add_stack_options(parser)
    parser.add_argument("--port", type=_port, default=8080, help="port of the API on 127.0.0.1 (8080)")
    parser.set_defaults(run=_up)


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """The options that shape a stack."""
    parser.add_argument("--data", type=Path, default=DATA, help="data directory (.merpati in the checkout)")
    parser.add_argument("--replicas", default="", metavar="api=2,sessions=2", help="replicas of each service (1)")
    parser.add_argument(
        "--simulator",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the simulated network beside the real one",
    )
    parser.add_argument("--default-engine", choices=NETWORKS, default="whatsapp", help="engine of a new session")
    parser.add_argument("--networks", default="", metavar="simulator,scripted", help="run exactly these networks")
    parser.add_argument("--fresh", action="store_true", help="delete this data directory's databases first")


def stack_options(arguments: argparse.Namespace) -> Options:
    """The options as values; CannotRunError when one makes no sense."""
    return Options(
        data=arguments.data,
        port=arguments.port,
        replicas=_replicas(arguments.replicas),
        simulator=arguments.simulator,
        default_engine=arguments.default_engine,
        networks=parse_networks(arguments.networks),
        fresh=arguments.fresh,
    )


def _replicas(text: str) -> dict[str, int]:
    try:
        return parse_replicas(text)
    except ValueError as error:
        raise CannotRunError(f"--replicas: {error}.") from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are 1 to {LAST_PORT}")
    return int(text)


def _up(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local.up import up

    return up(stack_options(arguments), screen)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data directory of a running stack (.merpati, if one runs there)")
    parser.add_argument("--url", help="a stack elsewhere; with --key and --simulator-url")
    parser.add_argument("--key", help="API key of a customer there")
    parser.add_argument("--simulator-url", help="control API of its simulated network")
    parser.add_argument("--engine", choices=NETWORKS[1:], default="simulator", help="its network; with --url")
    parser.add_argument("--replicas", default="", metavar="api=2", help="for a stack of the demo's own")
    parser.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local import demo_target
    from infra.local.demo import Target, demo

    if arguments.url:
        if not (arguments.key and arguments.simulator_url):
            raise CannotRunError("--url wants --key and --simulator-url beside it.")
        address = {"url": arguments.url, "key": arguments.key, "phones_url": arguments.simulator_url}
        return asyncio.run(demo(Target(**address, engine=arguments.engine), screen)).tell(screen)
    if (code := demo_target.on_running_stack(arguments.data or DATA, screen)) is not None:
        return code
    if arguments.data:
        raise CannotRunError(f"No stack is ready in {arguments.data}; start one with ./merpati up --data.")
    return demo_target.on_own_stack(_replicas(arguments.replicas), screen)


def _add_link(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="data directory of the running stack")
    parser.add_argument("--name", default="default", help="the session's name; made unless it exists")
    parser.add_argument("--engine", choices=NETWORKS, default="whatsapp", help="network of a new session")
    parser.set_defaults(run=_link)


def _link(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local.link import link

    return asyncio.run(link(arguments.data, name=arguments.name, engine=arguments.engine, screen=screen))


def _check(_: argparse.Namespace, screen: Screen) -> int:
    from infra.local.checks import check

    return check(screen)


def _test(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local.checks import test

    return test(screen, arguments.passed_on)


def _bench(arguments: argparse.Namespace, _: Screen) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments.passed_on], cwd=CHECKOUT, check=False
    ).returncode


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="data directory of the stack to look at")
    parser.add_argument("--port", type=_port, default=8080, help="port that a stack would want")
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local.doctor import doctor

    return doctor(arguments.data, arguments.port, screen)


def _add_lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.set_defaults(run=_lock)


def _lock(arguments: argparse.Namespace, screen: Screen) -> int:
    from infra.local.locks import lock

    return lock(screen, upgrade=arguments.upgrade)
