"""What became of a request: usage, endings, answers worth keeping, intents and receipts. The books are made of these."""

from __future__ import annotations

from typing import Literal

import msgspec

from pennyworth.errors import UpstreamFault
from pennyworth.money import ZERO, Basis, Money, Usage
from pennyworth.request import Dialect, Key

Ending = Literal[
    "complete", "length", "filtered", "tools", "cut", "error", "caller_left", "refused", "outrun", "unknown"
]
"""How a reply ended. ``complete``: every choice stopped by itself. ``length``, ``filtered``, ``tools``: ended for that
reason. ``cut``: broke off. ``error``: the provider said so. ``refused``: by us. ``outrun``: a second call was faster.
``unknown``: our process died meanwhile."""

Served = Literal["exact", "partial", "normalised", "semantic", "coalesced", "stale", "upstream", "replayed", "none"]
"""Where the reply came from. ``partial``: some of its items were kept, the others were asked for. ``replayed``: the first
result of its Idempotency-Key. ``none``: no reply could be given."""

Layer = Literal["exact", "normalised", "semantic", "coalesced", "stale", "routing", "batch", "own"]
"""What saved money. ``batch``: a provider's lower price for what can wait. ``own``: what our own work cost, a negative
saving."""


class Outcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One reply of a provider, recorded: everything later decisions may ask about it.

    Attributes:
        dialect: in which it was given.
        raw: the reply's bytes as the provider sent them: JSON, or server-sent events when ``streamed``.
        whole: the provider ended the body itself; what came is all it wanted to say, whatever it is worth.
        finishes: the terminal reason of each choice, by index; a missing one means the reply is not whole.
        served_by: the model the provider says answered.
        text: what was generated before a break, for an estimate of its tokens; "" where usage is known. Beside a usage
            without output: the provider had counted the prompt, and no more.
        tools: names of the tools the model called.
        server_tools: the provider searched, ran code, or otherwise looked beyond the prompt.
        refusal: the model declined to answer.
        fault: what broke, in words, for people; "" when nothing did. ``broke``: the same as one of a few words.
        began: its content was being passed on, so no other reply can take its place.
        long: its bytes, where it was so long that ``raw`` was let go while it passed; 0 where ``raw`` is all of it.
    """

    ending: Ending
    status: int
    dialect: Dialect = "chat"
    raw: bytes = b""
    streamed: bool = False
    whole: bool = False
    usage: Usage | None = None
    finishes: tuple[str, ...] = ()
    served_by: str = ""
    fingerprint: str = ""
    text: str = ""
    tools: tuple[str, ...] = ()
    server_tools: bool = False
    refusal: bool = False
    fault: str = ""
    broke: UpstreamFault | Literal[""] = ""
    began: bool = False
    long: int = 0
    retry_after: str = ""
    provider_request_id: str = ""


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A reply worth giving again. Immutable; keys point to it.

    Attributes:
        form: of the question: ``neutral/1`` if every dialect can ask it, else the dialect in which it was asked.
        dialect: in which the answer was given, whatever it was asked in.
        scope: its owner, checked again on every read.
        model: the model the caller asked for. ``target``: the one that answered, as ``provider/model``.
        raw: the provider's bytes. ``streamed``: they are server-sent events.
        priced_at_s: when it was paid for.
        asked_epoch: the purge epoch when it was asked for; a later purge that selects it makes it dead.
        kind: its class of lifetime (``static``, ``code`` ...).
        key: the first 16 hex digits of the exact key it was asked under: a purge by key finds it behind any alias.
        client, end_user: who asked for it, as on the receipt, so that it can be forgotten with them.
    """

    id: str
    form: str
    scope: str
    model: str
    target: str
    raw: bytes
    streamed: bool
    usage: Usage
    priced_at_s: float
    created_s: float
    asked_epoch: int
    kind: str
    revision: str = ""
    route: str = ""
    tags: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    key: str = ""
    client: str = ""
    end_user: str = ""
    dialect: Dialect = "chat"


class Kept(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A key that leads to an answer until ``expires_s`` (wall clock); for ``stale_s`` longer it may stand in for an error.

    ``asks``: how often the question was asked so far.
    """

    key: Key
    answer: Answer
    expires_s: float
    stale_s: float = 0.0
    asks: int = 1


class AttemptNote(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One call to a provider, as it stands on the receipt.

    ``fault``: what went wrong, in words; ``broke``: where the road failed, the same in one word.
    ``why``: what it was made for, where it is not the first: a retry, a fallback, a hedge.
    ``dialect``: the one it was made in, where it is not the caller's. ``dropped``: fields that were left out for that.
    """

    target: str
    status: int = 0
    ending: Ending
    served_by: str = ""
    usage: Usage | None = None
    spent: Money = ZERO
    basis: Basis = "none"
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    provider_request_id: str = ""
    fault: str = ""
    edits: tuple[str, ...] = ()
    why: str = ""
    broke: UpstreamFault | Literal[""] = ""
    dialect: Dialect | Literal[""] = ""
    dropped: tuple[str, ...] = ()


class Latency(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the time went, in milliseconds on the monotonic clock."""

    total_ms: float = 0.0
    decide_ms: float = 0.0
    first_byte_ms: float = 0.0
    upstream_ms: float = 0.0


class Intent(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="intent"):
    """Written before a call goes out; left open by a crash it becomes a receipt with the outcome unknown."""

    id: str
    at_s: float
    scope: str
    model: str
    target: str
    estimate: Money = ZERO
    basis: Basis = "estimated"
    client: str = ""
    team: str = ""


class Receipt(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag="receipt", omit_defaults=True):
    """The one record of a request. ``spent + Σ saved == would_have_cost``, to the picodollar, always.

    Attributes:
        served: where the reply came from. ``ending``: how it ended. ``status``: the HTTP status the caller got.
        reason: why it was served so, in words: the verdict, the miss, the refusal.
        usage: the tokens of the answer (of the kept answer on a hit).
        spent: paid for this request, own costs included. ``basis``: how that is known.
        would_have_cost: the asked model's direct price for this request. ``would_basis``: how that is known.
        saved: by layer; negative where a layer cost more than it saved. Zero entries are left out.
        notes: what of ours failed meanwhile ("store: slow, skipped"), a provider's word that no longer fits ("drift: …"), a
            stand-in that could not be asked ("fallback: …").
        age_s, ttl_s: of the answer given, on a hit.
        key: the first 16 hex digits of the exact key, to find and purge it by; on a hit, of the wording that was answered.
        client, team: whose key asked. ``end_user``: keyed hash of the caller's ``user`` field.
        parent: the receipt this one is late work for.
    """

    id: str
    at_s: float
    worker: str = ""
    scope: str
    dialect: str = "chat"
    model: str
    route: str = ""
    stream: bool = False
    served: Served
    ending: Ending
    status: int
    reason: str = ""
    target: str = ""
    attempts: tuple[AttemptNote, ...] = ()
    usage: Usage | None = None
    spent: Money = ZERO
    basis: Basis = "none"
    would_have_cost: Money = ZERO
    would_basis: Basis = "none"
    saved: dict[Layer, Money] = {}
    own: Money = ZERO
    notes: tuple[str, ...] = ()
    kind: str = ""
    age_s: float = 0.0
    ttl_s: float = 0.0
    key: str = ""
    answer: str = ""
    tags: tuple[str, ...] = ()
    client: str = ""
    team: str = ""
    end_user: str = ""
    latency: Latency = Latency()
    price_source: str = ""
    plan: str = ""
    parent: str = ""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over receipts. Money is exact however large."""

    requests: int = 0
    served: dict[str, int] = {}
    endings: dict[str, int] = {}
    upstream_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    spent: Money = ZERO
    would_have_cost: Money = ZERO
    saved: dict[str, Money] = {}
    own: Money = ZERO
    estimated_requests: int = 0
    unpriced_requests: int = 0
