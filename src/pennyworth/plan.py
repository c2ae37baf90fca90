"""The configuration as a frozen value. ``config`` makes it from TOML and the environment; everybody else only reads it.

A reload swaps the Plan whole; a request keeps the Plan it started with.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.clients import UNLIMITED, Allowance, ClientKey, Team
from pennyworth.money import Price
from pennyworth.outcome import Layer
from pennyworth.request import Dialect
from pennyworth.secret import Secret


class Switch(msgspec.Struct, frozen=True):
    """How much of the traffic takes an optimisation: 0 (off) to 100 (on) per cent, sticky by key."""

    percent: float = 100.0


ON = Switch(100.0)
OFF = Switch(0.0)


class Persistence(msgspec.Struct, frozen=True, kw_only=True):
    """How hard one target is tried, and how much at once.

    Attributes:
        tries: calls a request may make to it, the first included. ``pause_s``: before the second; doubles, with jitter.
        longest_pause_s: a provider that asks for a longer one (``Retry-After``) is not waited for.
        retry_share: retries in proportion to requests, at most: in an outage no more than 1 + this reaches the provider.
        max_concurrency: calls at once, at most; 0 = as many as its own rate limits leave room for.
        max_waiting, wait_s: so many calls may wait for room, each for so long; the others are told to come back.
        trip_after: failures in a row until it is left alone. ``rest_s``: for how long at first; doubles each time.
    """

    tries: int = 3
    pause_s: float = 0.5
    longest_pause_s: float = 20.0
    retry_share: float = 0.1
    max_concurrency: int = 0
    max_waiting: int = 200
    wait_s: float = 5.0
    trip_after: int = 8
    rest_s: float = 5.0


class Road(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """How a provider is reached. No connection made on one road is ever used on another.

    Attributes:
        proxy: ``http://host:port`` of the proxy in between ("" = none). ``proxy_key``: ``user:password`` there.
        ca_file: PEM file of authorities that are trusted besides the system's.
        client_cert, client_key: PEM files by which we identify ourselves; "" for the key = it is in the former.
    """

    proxy: str = ""
    proxy_key: Secret = Secret("")
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""


STRAIGHT = Road()

Auth = Literal["bearer", "api-key", "x-api-key", "none"]
"""How a key is shown: ``Authorization: Bearer``, a header of that name, or not at all."""


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider's chat completions differ from OpenAI's. Honoured by ``wire.chat.edits``.

    Attributes:
        leave_out: fields it refuses, none of which changes an answer: they are not sent.
        cap_field: the only name by which it knows the cap on tokens of the answer; "" = it knows both.
    """

    leave_out: tuple[str, ...] = ()
    cap_field: Literal["", "max_tokens", "max_completion_tokens"] = ""


PLAIN = Quirks()


SPOKEN: tuple[Dialect, ...] = ("chat", "responses", "embeddings", "other")
"""What a server speaks of which nothing else is said: OpenAI's formats."""

EVERY: tuple[Dialect, ...] = ("chat", "responses", "messages", "embeddings", "other")
"""What inference servers of many clients speak, and the simulator."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A company or server at a base URL.

    Attributes:
        base_url: up to and with the version, ``https://api.openai.com/v1``; from configuration only.
        credential: our key there. ``forward_caller``: send the caller's own ``Authorization`` instead.
        auth: how our key is shown there.
        key_source: the configuration key or environment variable the credential comes from, for error messages.
        models: patterns (``gpt-*``) of the models asked of it; first match in order of configuration.
        price_provider: the id under which the price book knows it (``openai``); "" = by name.
        connect_s, idle_s, total_s: to connect; between two bytes; in all, when not streaming.
        persistence: retries, breaker and limits of each of its models.
        dialects: those it speaks, the best known first. A request in another one is translated into the first that can
            carry it. ``other``: whatever else is asked under ``/v1/`` is passed through to it.
        road: the proxy and the certificates on the way. ``quirks``: what of the dialect it does not speak.
        batch: it has a batch API: OpenAI's for OpenAI's dialects, Anthropic's for ``messages``.
        preset: the shipped settings it started from, "" if none.
    """

    name: str
    base_url: str
    credential: Secret = Secret("")
    auth: Auth = "bearer"
    key_source: str = ""
    forward_caller: bool = False
    models: tuple[str, ...] = ("*",)
    price_provider: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    connect_s: float = 5.0
    idle_s: float = 60.0
    total_s: float = 60.0
    dialects: tuple[Dialect, ...] = SPOKEN
    persistence: Persistence = Persistence()
    road: Road = STRAIGHT
    quirks: Quirks = PLAIN
    batch: bool = False
    preset: str = ""
    simulated: bool = False


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says of one model name.

    Attributes:
        provider, upstream_name: where it is, and its name there ("" = the same).
        revision: part of the key: change it after an upgrade, and no answer of the old weights is given again.
        price: overrides the price book.
    """

    name: str
    provider: str = ""
    upstream_name: str = ""
    revision: str = ""
    price: Price | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A model at a provider: what a request is sent to."""

    provider: Provider
    model: str
    revision: str = ""
    price: Price | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """``name`` is always ``provider/model``; made once, since it is asked for all the time."""
        msgspec.structs.force_setattr(self, "name", f"{self.provider.name}/{self.model}")


class Lifetime(msgspec.Struct, frozen=True, kw_only=True):
    """How long answers of one class live.

    Attributes:
        ttl_s: at first; 0 = never kept. ``max_s``: the most a popular one may earn (equal to ``ttl_s``: earns nothing).
        patterns: RE2 patterns on the last user turn, any of which puts a question into this class.
        ignore: RE2 patterns of phrases that do not count for this class ("now that", "current account"): they are
            taken out before ``patterns`` are tried.
    """

    name: str
    ttl_s: float
    max_s: float
    patterns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


HINTS = (
    "cache_control",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_content",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
)
"""What may by default be dropped in translation: fields that say how a request is to be handled, not what the answer is; and
``reasoning_content``, the thoughts in earlier turns of a model whose maker alone can go on with them."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the models it matches; the first matching route applies.

    Attributes:
        policy: name of the routing policy.
        switches: per layer; a layer not named takes the Plan's.
        sampled: keep and share answers of explicitly sampled requests (temperature > 0).
        tools: names of tools without side effects whose calls may be kept.
        stale_if_error_s: an expired answer may stand in for a failing provider for so long (RFC 5861).
        fingerprint_epochs: a changed ``system_fingerprint`` starts a new epoch of this model.
        fallbacks: models asked in turn when the asked one fails before its reply begins.
        drop: fields that may be left out where a provider's dialect has no word for them; any other is refused.
        hedge: ask a second time when a reply takes longer to begin than nineteen of twenty do; the faster one is given.
    """

    name: str = "default"
    models: tuple[str, ...] = ("*",)
    policy: str = "as_asked"
    switches: dict[Layer, Switch] = {}
    sampled: bool = False
    tools: tuple[str, ...] = ()
    stale_if_error_s: float = 0.0
    fingerprint_epochs: bool = False
    ttl_s: float | None = None
    fallbacks: tuple[str, ...] = ()
    hedge: bool = False
    drop: tuple[str, ...] = HINTS


class CacheSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The cache of answers.

    Attributes:
        max_entries, max_bytes: bounds of the store. ``l1_entries``, ``l1_bytes``: of each worker's memory.
        max_answer_bytes: a longer reply is passed on but not kept.
        fold_case, fold_end_punctuation: further normalisation, off by default because they can change a question.
        vary_headers: request headers that change answers and so belong into the key.
        encrypt: kept answers lie encrypted in the state directory, under a key of each scope.
        earn_after: asked so many times, a question earns life. ``age_cap_s``: the absolute cap.
    """

    max_entries: int = 1_000_000
    max_bytes: int = 4 * 2**30
    l1_entries: int = 20_000
    l1_bytes: int = 16 * 2**20
    max_answer_bytes: int = 2 * 2**20
    fold_case: bool = False
    fold_end_punctuation: bool = False
    vary_headers: tuple[str, ...] = (
        "anthropic-beta",
        "anthropic-version",
        "openai-beta",
        "openai-organization",
        "openai-project",
    )
    earn_after: int = 3
    age_cap_s: float = 30 * 86400.0
    slow_s: float = 0.05
    encrypt: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may send, and how long things may take."""

    max_body_bytes: int = 32 * 10**6
    max_header_bytes: int = 64 * 1024
    max_headers: int = 100
    header_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    stall_timeout_s: float = 300.0
    max_depth: int = 128
    drain_s: float = 25.0
    max_reply_bytes: int = 32 * 10**6
    max_in_flight: int = 12_000
    idempotency_s: float = 86400.0


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: int = 8080
    admin_host: str = "127.0.0.1"
    admin_port: int = 8081
    workers: int = 1


class PriceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where prices come from besides the shipped book.

    Attributes:
        overlay: path of a TOML overlay ("" = none). ``stale_after_days``: warn when the book is older.
    """

    overlay: str = ""
    stale_after_days: int = 60


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the operator decided.

    Attributes:
        enabled: the kill switch's initial position; off = a plain proxy that still writes receipts.
        allow_anonymous: callers without a key are served (only on loopback unless the operator insists).
        everyone: what all callers together may do. ``alert_webhook``: the URL that is told of alerts ("" = the log only).
        pass_through: what is asked under ``/v1/`` beside the dialects goes to its provider untouched.
        state_dir: where store, journal, ledger and the deployment secret live.
        digest: of the configuration; on every receipt.
    """

    providers: tuple[Provider, ...]
    models: dict[str, ModelSpec] = {}
    routes: tuple[Route, ...] = (Route(),)
    switches: dict[Layer, Switch] = {}
    lifetimes: tuple[Lifetime, ...] = ()
    default_lifetime: str = "other"
    cache: CacheSpec = CacheSpec()
    limits: Limits = Limits()
    keys: tuple[ClientKey, ...] = ()
    teams: tuple[Team, ...] = ()
    everyone: Allowance = UNLIMITED
    alert_webhook: Secret = Secret("")
    admin_key: Secret = Secret("")
    listen: Listen = Listen()
    prices: PriceSpec = PriceSpec()
    enabled: bool = True
    allow_anonymous: bool = False
    pass_through: bool = True
    state_dir: str = ".pennyworth"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    digest: str = ""
