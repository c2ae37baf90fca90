"""The sections about where requests go: providers, models and their prices, routes and switches."""

from __future__ import annotations

from typing import get_args

from pennyworth.config.addresses import BASE_URL, HEADERS, PROXY
from pennyworth.config.amounts import DOLLARS, DURATION, FACTOR, POSITIVE_DURATION, SHARE, SWITCH
from pennyworth.config.credentials import SECRET, VARIABLE
from pennyworth.config.kinds import FLAG, NAME, PATH, PATTERNS, TABLE, TEXT, TEXTS, one_of, some_of, whole
from pennyworth.config.reading import Field, Section
from pennyworth.decide.key import LEFT_OUT
from pennyworth.money import Price
from pennyworth.outcome import Layer
from pennyworth.plan import Auth, ModelSpec, Persistence, Plan, Provider, Route
from pennyworth.request import Dialect

POLICIES = ("as_asked",)
"""The routing policies that a route may name."""

_SWITCHED = {
    "exact": "answers kept for the same request",
    "normalised": "answers kept for the same request written differently (spaces, line ends, full-width letters)",
    "semantic": "answers kept for a question that means the same; nothing looks for them in this version",
    "coalesced": "identical requests in flight share one call",
    "stale": "an expired answer stands in for a failing provider, where the route allows it",
    "routing": "a route's policy; off asks the model as asked",
    "batch": "what `pennyworth batch --deadline` may send through a provider's batch API; off asks directly",
}
LAYERS: tuple[Layer, ...] = tuple(layer for layer in get_args(Layer) if layer in _SWITCHED)

SWITCHES = Section(
    heading="[switches]",
    meaning="How much of the traffic takes each optimisation. A request keeps its side of a percentage.",
    noun=Plan,
    fields=tuple(Field(key=layer, kind=SWITCH, meaning=_SWITCHED[layer], default="on") for layer in LAYERS),
)

_HARMLESS = tuple(field for field in LEFT_OUT if field != "stream")

PROVIDER = Section(
    heading="[providers.NAME]",
    meaning="A company or server that is asked. The order matters: the first whose patterns match a model is asked.",
    noun=Provider,
    fields=(
        Field(key="preset", kind=NAME, meaning="the shipped settings to start from", default="NAME, without base_url"),
        Field(key="base_url", kind=BASE_URL, meaning="up to and with the version", default="the preset's"),
        Field(
            key="key_env",
            kind=VARIABLE,
            meaning="the environment variable that holds our key there",
            default="the preset's",
        ),
        Field(key="key", kind=SECRET, meaning="the key itself; better kept out of the file", default="none"),
        Field(
            key="auth",
            kind=one_of(get_args(Auth)),
            meaning="how our key is shown: as a bearer token, in a header of that name, or not at all",
            default="the preset's, or `bearer`",
        ),
        Field(
            key="forward_caller",
            kind=FLAG,
            meaning="send the caller's own key (Authorization, or x-api-key) instead of one of ours",
        ),
        Field(
            key="models", kind=PATTERNS, meaning="the models asked of it; * is any text", default="the preset's, or *"
        ),
        Field(
            key="dialects",
            kind=some_of(get_args(Dialect)),
            meaning="the wire formats it speaks, the best first; `other`: whatever else is under /v1/",
            default="the preset's, or `chat, responses, embeddings, other`",
        ),
        Field(
            key="price_provider",
            kind=NAME,
            meaning="its name in the price book",
            default="the preset's, or NAME",
        ),
        Field(key="headers", kind=HEADERS, meaning="sent with every call; never credentials"),
        Field(key="connect_timeout", attr="connect_s", kind=POSITIVE_DURATION, meaning="to connect"),
        Field(key="idle_timeout", attr="idle_s", kind=POSITIVE_DURATION, meaning="between two pieces of a reply"),
        Field(
            key="total_timeout",
            attr="total_s",
            kind=POSITIVE_DURATION,
            meaning="for a whole reply, not streamed; with all retries and fallbacks",
        ),
        Field(
            key="proxy",
            kind=PROXY,
            meaning="the HTTP proxy on the way; `environment`: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say",
            default="`none`",
        ),
        Field(
            key="proxy_env",
            kind=VARIABLE,
            meaning="the environment variable that holds `user:password` for the proxy",
            default="none",
        ),
        Field(
            key="ca_file",
            kind=PATH,
            meaning="PEM file of authorities that are trusted besides the system's",
            default="none",
        ),
        Field(key="client_cert", kind=PATH, meaning="PEM file of the certificate that we show", default="none"),
        Field(key="client_key", kind=PATH, meaning="PEM file of its key", default="in client_cert"),
        Field(
            key="leave_out",
            kind=some_of(_HARMLESS),
            meaning="body fields it refuses, which are not sent to it; none of them changes an answer",
            default="the preset's, or none",
        ),
        Field(
            key="cap_field",
            kind=one_of(("max_tokens", "max_completion_tokens", "both")),
            meaning="the name under which it knows the cap on an answer's tokens",
            default="the preset's, or `both`",
        ),
        Field(
            key="batch",
            kind=FLAG,
            meaning="it has a batch API, for `pennyworth batch --deadline`: OpenAI's, or Anthropic's for messages",
            default="the preset's, or false",
        ),
        Field(key="calls", attr="persistence", kind=TABLE, meaning="retries and limits, see below", default="as below"),
    ),
)

CALLS = Section(
    heading="[providers.NAME.calls]",
    meaning="How each of its models is called: how often, how many at once, and when it is left alone.",
    noun=Persistence,
    fields=(
        Field(key="tries", kind=whole(1, 10), meaning="calls for one request, the first included"),
        Field(key="pause", attr="pause_s", kind=DURATION, meaning="before the second; it doubles, with jitter"),
        Field(
            key="longest_pause",
            attr="longest_pause_s",
            kind=DURATION,
            meaning="a provider that asks for a longer one (Retry-After) is not asked again",
        ),
        Field(
            key="retry_share",
            kind=SHARE,
            meaning="retries in proportion to requests, at most: what reaches a provider in an outage",
        ),
        Field(
            key="max_concurrency",
            kind=whole(0, 100_000),
            meaning="calls at once; 0 is as many as its rate limits leave room for, which is learnt",
        ),
        Field(
            key="max_waiting", kind=whole(0, 100_000), meaning="calls that may wait for room; others get 429 at once"
        ),
        Field(key="wait", attr="wait_s", kind=DURATION, meaning="how long each may wait"),
        Field(key="trip_after", kind=whole(1, 10**9), meaning="failures in a row after which it is left alone"),
        Field(
            key="rest", attr="rest_s", kind=POSITIVE_DURATION, meaning="for so long; twice as long each time, up to 1m"
        ),
    ),
)

MODEL = Section(
    heading='[models."NAME"]',
    meaning="What is known of one model name that callers use.",
    noun=ModelSpec,
    fields=(
        Field(key="provider", kind=NAME, meaning="which provider to ask", default="the first whose patterns match"),
        Field(key="name", attr="upstream_name", kind=TEXT, meaning="its name at the provider", default="NAME"),
        Field(
            key="revision",
            kind=TEXT,
            meaning="part of every key: change it after an upgrade, and no answer of the old weights is given again",
            default="none",
        ),
        Field(
            key="price", kind=TABLE, meaning="a price that overrides the price book, see below", default="the book's"
        ),
    ),
)

_PER_MILLION = "dollars per million tokens"
PRICE = Section(
    heading='[models."NAME".price]',
    meaning="What the model charges. Amounts in quotes are exact.",
    noun=Price,
    fields=(
        Field(key="input", kind=DOLLARS, meaning=f"input: {_PER_MILLION}", required=True),
        Field(key="output", kind=DOLLARS, meaning=f"output: {_PER_MILLION}", required=True),
        Field(key="cached", kind=DOLLARS, meaning="input read from the provider's prompt cache", default="as input"),
        Field(key="cache_write", kind=DOLLARS, meaning="input written to it", default="as input"),
        Field(key="cache_write_1h", kind=DOLLARS, meaning="input written to it for an hour", default="twice the input"),
        Field(key="reasoning", kind=DOLLARS, meaning="reasoning tokens", default="as output"),
        Field(key="input_audio", kind=DOLLARS, meaning="audio heard", default="as input"),
        Field(key="output_audio", kind=DOLLARS, meaning="audio spoken", default="as output"),
        Field(key="per_request", kind=DOLLARS, meaning="dollars for each call, whatever its length"),
        Field(key="multiplier", kind=FACTOR, meaning="a reseller's factor on everything"),
        Field(key="batch", kind=FACTOR, meaning="a further one on everything that goes through a batch API"),
    ),
)

ROUTE = Section(
    heading="[[routes]]",
    meaning="Rules for some models. The first route that matches applies; one for everything else is always added.",
    noun=Route,
    fields=(
        Field(key="name", kind=NAME, meaning="shown on receipts; each its own", required=True),
        Field(key="models", kind=PATTERNS, meaning="the models it is for; * is any text", required=True),
        Field(key="policy", kind=one_of(POLICIES), meaning="how the target is chosen"),
        Field(key="switches", kind=TABLE, meaning="as in [switches], for this route", default="those of [switches]"),
        Field(key="sampled", kind=FLAG, meaning="keep and share answers of requests with temperature above 0"),
        Field(key="tools", kind=TEXTS, meaning="tools without side effects, whose calls may be kept"),
        Field(
            key="stale_if_error",
            attr="stale_if_error_s",
            kind=DURATION,
            meaning="for so long an expired answer may stand in for a failing provider",
        ),
        Field(key="fingerprint_epochs", kind=FLAG, meaning="a changed system_fingerprint retires the old answers"),
        Field(key="ttl", attr="ttl_s", kind=DURATION, meaning="how long answers live", default="by [lifetimes]"),
        Field(
            key="fallbacks",
            kind=TEXTS,
            meaning="models asked in turn when the asked one fails before its reply begins",
        ),
        Field(
            key="drop",
            kind=TEXTS,
            meaning="fields that may be left out where a provider's dialect has no word for them; any other is refused",
        ),
        Field(
            key="hedge",
            kind=FLAG,
            meaning="ask a second time when a reply begins later than 95 % do; the faster one is given, both are paid",
        ),
    ),
)
