"""The settings of sender: each with its unit and one sentence."""

from __future__ import annotations

from libs.runtime.settings import CommonSettings


class Settings(CommonSettings, frozen=True, kw_only=True):
    """What sender reads from the environment, besides what every service reads."""

    answer_timeout_s: float = 30.0
    """How long a hand-over waits for its answer; after that its outcome is unknown."""
    deliver_deadline_s: float = 25.0
    """How long the owner of the session may try; below `answer_timeout_s`, so that its answer still comes."""
    retry_first_s: float = 1.0
    """Pause after the first attempt whose outcome is unknown; it doubles with each further one."""
    retry_longest_s: float = 60.0
    """The longest such pause."""
    handover_retry_s: float = 0.5
    """Pause after an attempt that met an owner without a confirmed lease."""
    probe_every_s: float = 30.0
    """How often a lane that waits for its session tries anyway."""
    refusal_held_s: float = 600.0
    """How long a refusal waits for a receipt, when an earlier attempt may have left."""
    unknown_limit_s: float = 86_400.0
    """A message whose outcome stays unknown this long has failed."""
    restricted_pause_s: float = 60.0
    """How long a restricted session waits when WhatsApp did not say how long."""
    patience_attempts: int = 10
    """After this many vain attempts in a row a message steps behind the others of its session."""
    recipient_longest_s: float = 600.0
    """The longest pause before WhatsApp is asked again about a recipient, or for an upload, that it refused."""
    recipient_limit_s: float = 3600.0
    """A message whose recipient WhatsApp does not tell, or whose medium it does not take, for this long has failed."""
    limited_limit_s: float = 86_400.0
    """The same while WhatsApp limits look-ups."""
    paced_networks: str = "whatsapp"
    """Networks, separated by commas, whose sessions are paced."""
    pace_per_minute: float = 20.0
    """Messages per minute that a paced session sends in the long run."""
    pace_burst: int = 5
    """Messages that a paced session that has rested may send at once."""
    pace_jitter: float = 0.3
    """How much longer a pause may become at random, as a part of it (0.3: up to 30 %)."""
    depth_every_s: float = 1.0
    """How often the queue depths of changed sessions are written."""
    credits_threshold: int = 100
    """A customer whose balance falls below so many credits is told, unless it has a threshold of its own."""
    stop_patience_s: float = 1.5
    """How long a shard that is given back waits for answers on their way; below 2."""
