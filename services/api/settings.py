"""The edge's settings: every one with its default, unit and sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from libs.contracts.ids import NETWORKS
from libs.runtime.address_rules import AllowList, allow_list_of
from libs.runtime.settings import CommonSettings, SettingsError, read
from services.api.web.addresses import Network, networks_of

Positive = Annotated[int, Meta(ge=1)]
MEGABYTE = 1024 * 1024


class Settings(CommonSettings, frozen=True, kw_only=True):
    """What `services/api` reads from the environment."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    """Port to listen on, shared by the replicas of one machine (SO_REUSEPORT)."""
    cors_origins: str = "*"
    """Origins whose pages may call the API, comma separated; `*` for all (then without cookies)."""

    trusted_proxies: str = ""
    """Addresses and networks whose `X-Forwarded-For` is believed, comma separated; empty: nobody's."""
    connections_per_address: Positive = 200
    """Most connections of one address (IPv6: one /64 network), WebSockets excepted; not of this machine, nor of
    `trusted_proxies`."""

    engines: str = "whatsapp"
    """Networks that have an owner in this deployment, comma separated."""
    default_engine: str = "whatsapp"
    """Network of a session that names none."""
    simulator_url: str = ""
    """Control API of the simulated network; shown to nobody, empty without one."""
    scripted_url: str = ""
    """Control API of the scripted network's phones; as above."""
    dashboard_assets: str = ""
    """Folder with the dashboard's built files; without one there are no pages, and the API runs."""
    api_key: str = ""
    """Deployment key of the single-session endpoints (also read from `API_KEY`); empty asks for a customer's key."""
    open_single_session: bool = False
    """Whether `/whatsapp/qr` and `/whatsapp/reconnect` need no credential. Only for a closed network."""

    database_timeout_ms: Positive = 4_000
    """Bound of one MongoDB operation; beyond it the answer is 503."""
    cache_s: Annotated[float, Meta(ge=0, le=5)] = 5.0
    """Longest time for which a key, a login or a session is believed without asking MongoDB."""
    cache_entries: Positive = 20_000
    """Most entries that are believed at once."""

    token_days: Positive = 7
    """Life of a sign-in token, days."""
    ticket_s: Positive = 60
    """Life of a one-time stream ticket, seconds."""
    password_checks: Positive = 2
    """Password checks at a time (each takes 64 MB and about 130 ms)."""
    password_queue: Positive = 32
    """Sign-ins that may wait for a password check; beyond it the answer is 429."""

    sign_in_tries: Positive = 10
    """Failed sign-ins of one user from one address within `sign_in_window_s`; beyond it the answer is 429."""
    sign_in_tries_per_user: Positive = 100
    """Failed sign-ins of one user from all addresses together within `sign_in_window_s`."""
    sign_in_tries_per_address: Positive = 300
    """Failed sign-ins from one address (IPv6: one /64 network) within `sign_in_window_s`."""
    sign_in_window_s: Positive = 900
    """The window of failed sign-ins, from the first of them, seconds."""
    operator_contact: str = ""
    """Whom customers ask for a plan, and why they are suspended: an e-mail address, a URL, or words."""
    open_signup: bool = False
    """Whether anybody may sign up as a new customer."""
    signup_plan: str = ""
    """Id of the plan to which a new customer is subscribed for a trial; empty: to none."""
    signup_days: Positive = 14
    """Length of that trial, days."""
    signups_per_address: Positive = 10
    """Sign-ups from one address within `sign_in_window_s`."""
    key_requests_per_minute: Annotated[int, Meta(ge=0)] = 0
    """Requests per minute of an API key that has no limit of its own, and the most it may be given; 0: no limit."""
    key_messages_per_minute: Annotated[int, Meta(ge=0)] = 0
    """The same for messages."""
    keys_most: Positive = 100
    """Most API keys of one customer."""
    users_most: Positive = 100
    """Most users of one customer."""
    audit_days: Positive = 365
    """How long the audit log keeps who did what, days."""

    body_bytes: Positive = 30 * MEGABYTE
    """Largest request body that is read, bytes (streamed media excepted)."""
    inline_bytes: Positive = 20 * MEGABYTE
    """Largest medium that may come as base64 within JSON, decoded bytes."""
    image_bytes: Positive = 16 * MEGABYTE
    """Largest image, bytes."""
    video_bytes: Positive = 64 * MEGABYTE
    """Largest video, bytes."""
    audio_bytes: Positive = 16 * MEGABYTE
    """Largest audio file, bytes."""
    sticker_bytes: Positive = MEGABYTE
    """Largest sticker, bytes."""
    document_bytes: Positive = 100 * MEGABYTE
    """Largest document, bytes."""
    decodes: Positive = 2
    """Files that are decoded at a time, each by a process of its own (pictures, and sound for voice notes)."""
    decode_queue: Positive = 32
    """Files that may wait for their turn to be decoded; beyond it the answer is 429."""
    decode_s: Annotated[float, Meta(gt=0)] = 45.0
    """How long decoding a file may take, seconds; the process itself may use 30 s of CPU time."""
    fetch_s: Annotated[float, Meta(gt=0)] = 30.0
    """How long fetching a medium from its address may take, seconds."""
    preview_s: Annotated[float, Meta(gt=0)] = 2.0
    """How long fetching a link's preview may take, seconds; after that the message goes without one."""
    private_targets: bool = False
    """Whether customers may name addresses in private networks and on this machine. Only for development."""
    proxy_allowed: str = ""
    """Networks and hosts that proxies may lead to beside public addresses, comma separated; sessions reads it too."""
    most_webhooks: Positive = 20
    """Most webhooks of one customer."""
    media_days: Positive = 30
    """How long an uploaded medium is kept after its last use, days."""
    default_country: str = "62"
    """Country calling code that a phone number with a leading 0 gets."""
    queue_rows: Positive = 10_000
    """Most open messages of one session; beyond it a send is refused with 429."""
    repeat_for_s: float = 5.0
    """How long an unclear publish is repeated before the answer is 503, seconds."""

    public_wait_ms: Annotated[int, Meta(ge=0, le=60_000)] = 2_000
    """How long a public send waits for WhatsApp's word when it does not say, milliseconds; 0: not at all."""
    qr_wait_s: float = 20.0
    """How long a QR request waits for the first code when it does not say, seconds."""
    ask_s: Annotated[float, Meta(gt=0)] = 25.0
    """How long the owner of a session may take to answer, seconds; it asks WhatsApp for 20."""
    download_s: Annotated[float, Meta(gt=0)] = 120.0
    """How long downloading an incoming medium from WhatsApp may take, seconds."""
    wait_most_s: float = 60.0
    """Longest `wait` that a request may ask for, seconds."""
    expiry_notice_days: Positive = 3
    """How long before its end a customer is told that a subscription ends, days."""
    drain_s: Positive = 10
    """How long running requests may take after SIGTERM, seconds."""

    def allowed_proxies(self) -> AllowList:
        """The list of `proxy_allowed`. Raises ValueError."""
        return allow_list_of(self.proxy_allowed)

    def networks(self) -> tuple[str, ...]:
        """The networks that run, in the order given."""
        return tuple(name for name in (part.strip() for part in self.engines.split(",")) if name)

    def phones(self) -> dict[str, str]:
        """The control APIs of networks that have phones of ours, by network."""
        known = {"simulator": self.simulator_url, "scripted": self.scripted_url}
        return {network: url for network, url in known.items() if url and network in self.networks()}

    def origins(self) -> frozenset[str]:
        """The allowed origins."""
        return frozenset(part.strip() for part in self.cors_origins.split(",") if part.strip())

    def proxies(self) -> tuple[Network, ...]:
        """The networks of `trusted_proxies`. Raises ValueError."""
        return networks_of(tuple(filter(None, (part.strip() for part in self.trusted_proxies.split(",")))))


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings and check what one field says of another. Raises SettingsError."""
    settings = read(
        Settings, {**environ, "MERPATI_API_KEY": environ.get("MERPATI_API_KEY") or environ.get("API_KEY", "")}
    )
    faults = [
        f"MERPATI_ENGINES: {name!r} is none of {', '.join(NETWORKS)}"
        for name in settings.networks()
        if name not in NETWORKS
    ]
    if settings.default_engine not in settings.networks():
        faults.append(f"MERPATI_DEFAULT_ENGINE: {settings.default_engine!r} is none of MERPATI_ENGINES")
    try:
        settings.proxies()
    except ValueError as error:
        faults.append(f"MERPATI_TRUSTED_PROXIES: {error}")
    try:
        settings.allowed_proxies()
    except ValueError as error:
        faults.append(f"MERPATI_PROXY_ALLOWED: {error}")
    if faults:
        raise SettingsError(faults)
    return settings
