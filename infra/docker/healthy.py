"""Exits 0 when `http://127.0.0.1:<port><path>` answers 200: `python -IS healthy.py [PORT] [PATH]`.

The health check of every image. Standard library, and little of it: it runs every few seconds in each container.
"""

import os
import socket
import sys

TIMEOUT_S = 4.5


def main() -> int:
    """Ask once; what was answered instead of 200 stands in the container's health log."""
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["MERPATI_HEALTH_PORT"])
    path = sys.argv[2] if len(sys.argv) > 2 else "/readyz"
    try:
        status, body = _answer(port, path)
    except OSError as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    if status == b"200":
        return 0
    sys.stdout.write(f"{status.decode()} {body.decode(errors='replace')}\n")
    return 1


def _answer(port: int, path: str) -> tuple[bytes, bytes]:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return ([*head.split(), b"", b""])[1], body


if __name__ == "__main__":
    sys.exit(main())
