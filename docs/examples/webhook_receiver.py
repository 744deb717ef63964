"""Receives webhooks: verifies the signature, takes each frame once, and answers quickly.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_... python docs/examples/webhook_receiver.py 9000

Then make a webhook for `http://<this machine>:9000/`. It prints one line for each new frame.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

MOST_BYTES = 2 * 1024 * 1024

seen: set[str] = set()
"""Ids of the frames that were taken. A frame may come twice: keep them where your own data is, for two weeks."""


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine; anything else than 2xx has the frame sent again later."""

    def do_POST(self) -> None:
        """One frame. Do the real work afterwards, elsewhere: the sender waits 15 seconds at most."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(length)
        try:
            frame = Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.answer(401)
            return
        if frame["id"] not in seen:
            seen.add(frame["id"])
            sys.stdout.write(json.dumps({"type": frame["type"], "id": frame["id"], "data": frame["data"]}) + "\n")
            sys.stdout.flush()
        self.answer(204)

    def answer(self, status: int) -> None:
        """An answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing beside the frames."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
