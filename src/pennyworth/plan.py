"""The configuration as a frozen value. ``config`` makes it from TOML and the environment; everybody else only reads it.

A reload swaps the Plan whole; a request keeps the Plan it started with.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.money import Price
from pennyworth.outcome import Layer


class Secret:
    """A credential that does not print itself. ``reveal`` is called only where it is written to a socket."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def is_in(self, text: bytes) -> bool:
        """Whether somebody says it back."""
        return bool(self._value) and self._value.encode() in text

    def struck_from(self, text: bytes) -> bytes:
        """The text with dots in its place."""
        return text.replace(self._value.encode(), "…".encode()) if self.is_in(text) else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(…)" if self._value else "Secret('')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Switch(msgspec.Struct, frozen=True):
    """How much of the traffic takes an optimisation: 0 (off) to 100 (on) per cent, sticky by key."""

    percent: float = 100.0


ON = Switch(100.0)
OFF = Switch(0.0)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A company or server at a base URL.

    Attributes:
        base_url: up to and with the version, ``https://api.openai.com/v1``; from configuration only.
        credential: our key there. ``forward_caller``: send the caller's own ``Authorization`` instead.
        key_source: the configuration key or environment variable the credential comes from, for error messages.
        models: patterns (``gpt-*``) of the models asked of it; first match in order of configuration.
        price_provider: the id under which the price book knows it (``openai``); "" = by name.
        connect_s, idle_s, total_s: to connect; between two bytes; in all, when not streaming.
    """

    name: str
    base_url: str
    credential: Secret = Secret("")
    key_source: str = ""
    forward_caller: bool = False
    models: tuple[str, ...] = ("*",)
    price_provider: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    connect_s: float = 5.0
    idle_s: float = 60.0
    total_s: float = 600.0
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


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the models it matches; the first matching route applies.

    Attributes:
        policy: name of the routing policy.
        switches: per layer; a layer not named takes the Plan's.
        sampled: keep and share answers of explicitly sampled requests (temperature > 0).
        tools: names of tools without side effects whose calls may be kept.
        stale_if_error_s: an expired answer may stand in for a failing provider for so long (RFC 5861).
        fingerprint_epochs: a changed ``system_fingerprint`` starts a new epoch of this model.
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


class CacheSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The cache of answers.

    Attributes:
        max_entries, max_bytes: bounds of the store. ``l1_entries``, ``l1_bytes``: of each worker's memory.
        max_answer_bytes: a longer reply is passed on but not kept.
        fold_case, fold_end_punctuation: further normalisation, off by default because they can change a question.
        vary_headers: request headers that change answers and so belong into the key.
        earn_after: asked so many times, a question earns life. ``age_cap_s``: the absolute cap.
    """

    max_entries: int = 1_000_000
    max_bytes: int = 4 * 2**30
    l1_entries: int = 20_000
    l1_bytes: int = 16 * 2**20
    max_answer_bytes: int = 2 * 2**20
    fold_case: bool = False
    fold_end_punctuation: bool = False
    vary_headers: tuple[str, ...] = ("openai-beta", "openai-organization", "openai-project")
    earn_after: int = 3
    age_cap_s: float = 30 * 86400.0
    slow_s: float = 0.05


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


class ClientKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key callers present to us, and the scope it gives."""

    name: str
    secret: Secret
    scope: str


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
    admin_key: Secret = Secret("")
    listen: Listen = Listen()
    prices: PriceSpec = PriceSpec()
    enabled: bool = True
    allow_anonymous: bool = False
    state_dir: str = ".pennyworth"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    digest: str = ""
