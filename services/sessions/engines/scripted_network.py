"""A made-up WhatsApp network in one process: its connections, and the messages that go over them."""

from __future__ import annotations

from libs.runtime.mongo import Database
from services.sessions.engines.scripted_connections import Connections
from services.sessions.engines.scripted_mail import ScriptedMail


class ScriptedNetwork(Connections):
    """Phones, groups, links, open sockets and mail. With a database, links outlive the process."""

    def __init__(self, database: Database | None = None) -> None:
        super().__init__(database)
        self.mail = ScriptedMail(self)
