"""Every section and key of the configuration: the reader, the reference and the check of names all come from it."""

from __future__ import annotations

from pennyworth.config.addresses import HEADER_NAMES, HOST
from pennyworth.config.amounts import DURATION, POSITIVE_DURATION, SIZE
from pennyworth.config.credentials import SECRET, VARIABLE
from pennyworth.config.kinds import FLAG, NAME, PATH, PORT, TEXTS, one_of, whole
from pennyworth.config.reading import Field, Section
from pennyworth.config.schema_routing import CALLS, MODEL, PRICE, PROVIDER, ROUTE, SWITCHES
from pennyworth.config.schema_tenants import ALERTS, EVERYONE, KEY, TEAM
from pennyworth.plan import CacheSpec, Lifetime, Limits, Listen, Plan, PriceSpec

COUNT = whole(1, 10**12, "whole number above 0")

CACHE = Section(
    heading="[cache]",
    meaning="The cache of answers.",
    noun=CacheSpec,
    fields=(
        Field(key="max_entries", kind=COUNT, meaning="most entries of the store"),
        Field(key="max_bytes", kind=SIZE, meaning="most bytes of the store"),
        Field(key="l1_entries", kind=COUNT, meaning="most entries in each worker's memory"),
        Field(key="l1_bytes", kind=SIZE, meaning="most bytes in each worker's memory"),
        Field(key="max_answer_bytes", kind=SIZE, meaning="a longer reply is passed on, not kept"),
        Field(key="fold_case", kind=FLAG, meaning="normalise upper and lower case; it can change a question"),
        Field(key="fold_end_punctuation", kind=FLAG, meaning="normalise end punctuation; it can change a question"),
        Field(key="vary_headers", kind=HEADER_NAMES, meaning="request headers that change answers, so part of the key"),
        Field(key="earn_after", kind=COUNT, meaning="asked so many times, a question's answer lives longer"),
        Field(key="age_cap", attr="age_cap_s", kind=POSITIVE_DURATION, meaning="no answer is ever older"),
        Field(
            key="slow_after",
            attr="slow_s",
            kind=POSITIVE_DURATION,
            meaning="a store that takes longer is left aside for a while",
        ),
        Field(
            key="encrypt",
            kind=FLAG,
            meaning="kept answers lie encrypted in state_dir, under a key of each scope; needs pennyworth[encrypt]",
        ),
    ),
)

LIFETIME = Section(
    heading="[lifetimes.NAME]",
    meaning="How long answers of one class of question live. A shipped name changes that class; a new one adds a class.",
    noun=Lifetime,
    fields=(
        Field(key="ttl", attr="ttl_s", kind=DURATION, meaning="at first; 0 is never kept", default="the shipped one"),
        Field(
            key="max",
            attr="max_s",
            kind=DURATION,
            meaning="the most that a popular question earns",
            default="the shipped one, or ttl",
        ),
        Field(
            key="patterns",
            kind=TEXTS,
            meaning="RE2 patterns on the last user turn; they replace the shipped ones",
            default="the shipped ones",
        ),
        Field(key="more_patterns", kind=TEXTS, meaning="RE2 patterns in addition to the shipped ones", default="none"),
        Field(
            key="ignore",
            kind=TEXTS,
            meaning="RE2 patterns of phrases that do not count here; they replace the shipped ones",
            default="the shipped ones",
        ),
        Field(key="more_ignore", kind=TEXTS, meaning="such phrases in addition to the shipped ones", default="none"),
    ),
)

LIMITS = Section(
    heading="[limits]",
    meaning="What a caller may send, and how long things may take.",
    noun=Limits,
    fields=(
        Field(key="max_body_bytes", kind=SIZE, meaning="longest request body"),
        Field(key="max_header_bytes", kind=SIZE, meaning="longest block of request headers"),
        Field(key="max_headers", kind=whole(1, 10_000), meaning="most request headers"),
        Field(key="header_timeout", attr="header_timeout_s", kind=POSITIVE_DURATION, meaning="to send the head"),
        Field(key="body_timeout", attr="body_timeout_s", kind=POSITIVE_DURATION, meaning="to send the body"),
        Field(key="stall_timeout", attr="stall_timeout_s", kind=POSITIVE_DURATION, meaning="to take more of a reply"),
        Field(key="max_depth", kind=whole(8, 512), meaning="deepest nesting of a request body"),
        Field(key="drain", attr="drain_s", kind=DURATION, meaning="how long running replies may finish at the end"),
        Field(
            key="idempotency_ttl",
            attr="idempotency_s",
            kind=POSITIVE_DURATION,
            meaning="how long the result of an Idempotency-Key is kept",
        ),
        Field(key="max_reply_bytes", kind=SIZE, meaning="longest reply of a provider"),
        Field(
            key="max_in_flight",
            kind=COUNT,
            meaning="calls to providers at once, in each worker; what comes beyond is told to come back",
        ),
    ),
)

LISTEN = Section(
    heading="[listen]",
    meaning="Where callers reach the gateway.",
    noun=Listen,
    fields=(
        Field(key="host", kind=HOST, env="PENNYWORTH_HOST", meaning="only loopback without a client key"),
        Field(key="port", kind=PORT, env="PENNYWORTH_PORT", meaning="0 picks a free one"),
        Field(key="workers", kind=whole(1, 256), env="PENNYWORTH_WORKERS", meaning="processes that share the store"),
    ),
)

ADMIN = Section(
    heading="[admin]",
    meaning="Statistics, receipts, purges and switches, on a port of their own.",
    noun=Listen,
    fields=(
        Field(key="host", attr="admin_host", kind=HOST, meaning="only loopback without an admin key"),
        Field(key="port", attr="admin_port", kind=PORT, env="PENNYWORTH_ADMIN_PORT", meaning="0 picks a free one"),
        Field(key="key_env", kind=VARIABLE, meaning="the variable that holds the admin key", default="none"),
        Field(
            key="key",
            kind=SECRET,
            env="PENNYWORTH_ADMIN_KEY",
            meaning="the key itself; better kept out of the file",
            default="none",
        ),
    ),
)

PRICES = Section(
    heading="[prices]",
    meaning="Where prices come from besides the shipped book.",
    noun=PriceSpec,
    fields=(
        Field(key="overlay", kind=PATH, meaning="a TOML file of prices that override the book", default="none"),
        Field(key="stale_after_days", kind=whole(1, 3650), meaning="warn when the book is older"),
    ),
)

LOG = Section(
    heading="[log]",
    meaning="What is logged.",
    noun=Plan,
    fields=(
        Field(
            key="level",
            attr="log_level",
            kind=one_of(("debug", "info", "warning", "error")),
            env="PENNYWORTH_LOG_LEVEL",
            meaning="the least severe that is written",
        ),
    ),
)

PASS_THROUGH = Section(
    heading="[pass_through]",
    meaning="What is asked under /v1/ beside the dialects: files, batches, sound, images, and whatever comes.",
    noun=Plan,
    fields=(
        Field(
            key="enabled",
            attr="pass_through",
            kind=FLAG,
            meaning="such requests go to their provider untouched; false refuses them",
        ),
    ),
)

ROOT = Section(
    heading="",
    meaning="At the top of the file, before the first section.",
    noun=Plan,
    fields=(
        Field(
            key="enabled",
            kind=FLAG,
            env="PENNYWORTH_ENABLED",
            meaning="the kill switch at start: false is a plain proxy that still writes receipts",
        ),
        Field(
            key="allow_anonymous",
            kind=FLAG,
            meaning="serve callers without a key even to other machines",
            default="true only on loopback without keys",
        ),
        Field(
            key="state_dir",
            kind=PATH,
            env="PENNYWORTH_STATE_DIR",
            meaning="where store, journal, ledger and the deployment secret live, seen from where it is started",
        ),
        Field(key="default_lifetime", kind=NAME, meaning="the class of questions that no pattern puts elsewhere"),
    ),
)

NAMED_TABLES = ("providers", "models", "lifetimes", "keys", "teams")
TABLES_OF_ONE = (
    *("switches", "cache", "limits", "listen", "admin", "prices", "log"),
    *("everyone", "alerts", "pass_through"),
)
SECTIONS = (
    ROOT, LISTEN, ADMIN, KEY, TEAM, EVERYONE, ALERTS,
    PROVIDER, CALLS, MODEL, PRICE, ROUTE, PASS_THROUGH, SWITCHES, CACHE, LIFETIME, LIMITS, PRICES, LOG,
)  # fmt: skip
"""In the order of the reference."""
