"""Settings of the status service."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from libs.runtime.settings import CommonSettings


class StatusSettings(CommonSettings, frozen=True, kw_only=True):
    """What status reads beside what every service reads."""

    message_days: int = 90
    """Days for which messages are kept, from their acceptance."""
    counter_days: Annotated[int, Meta(ge=62)] = 400
    """Days for which counters are kept; at least 62, so that this month and the one before can be told."""

    webhook_delays_s: Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(,[0-9]+(\.[0-9]+)?)*$")] = (
        "5,300,1800,7200,18000,36000,36000"
    )
    """Seconds between the attempts of one delivery, comma separated; after one more failure it is given up."""
    webhook_timeout_s: Annotated[float, Meta(gt=0)] = 15.0
    """How long an endpoint may take to answer, seconds."""
    webhook_disable_days: Annotated[float, Meta(gt=0)] = 5.0
    """Days of failure, without one success, after which a webhook is disabled."""
    webhook_log_days: Annotated[int, Meta(ge=1)] = 14
    """Days for which deliveries are kept, from their frame."""
    private_targets: bool = False
    """Whether webhooks may lead to private networks and to this machine. Only for development."""

    def delays_s(self) -> tuple[float, ...]:
        """The schedule."""
        return tuple(float(part) for part in self.webhook_delays_s.split(","))
