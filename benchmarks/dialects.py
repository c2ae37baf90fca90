"""What a request costs at the gateway in each dialect, and where its provider speaks another one: as ``gateway``, which see.

One constant provider speaks chat completions, responses and embeddings, another one, at the same address, only Anthropic
messages; so who asks for a model of the other is translated on the way there and on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from benchmarks import gateway
from benchmarks.gateway import JUDGED_AT, TARGETS, Floor, Setting, Target
from benchmarks.load import Job
from benchmarks.questions import MODEL
from benchmarks.sheet import Sheet
from benchmarks.wordings import CLAUDE

_OPENAI = 'models = ["gpt-*", "text-*"]'
_ANTHROPIC = """\
[providers.other]
base_url = "http://127.0.0.1:{port}/v1"
price_provider = "anthropic"
models = ["claude-*"]
dialects = ["messages"]
"""

_HIT, _MISS = "pennyworth; hit", "pennyworth; fwd=miss"
_JOB = Job(port=0, connections=1)

ASKED = {
    "messages": replace(_JOB, dialect="messages"),
    "chat to messages": replace(_JOB, dialect="chat", model=CLAUDE),
    "messages to chat": replace(_JOB, dialect="messages", model=MODEL),
    "responses": replace(_JOB, dialect="responses"),
    "responses to messages": replace(_JOB, dialect="responses", model=CLAUDE),
}
EMBEDDED = {
    "embeddings, one text": replace(_JOB, dialect="embeddings"),
    "embeddings, 32 texts": replace(_JOB, dialect="embeddings", items=32),
}


def targets() -> Iterator[Target]:
    yield from (target for target in TARGETS if target.is_floor)
    for name, job in (*ASKED.items(), *EMBEDDED.items()):
        yield _target(f"{name}: hit", "hit", replace(job, repeats=1.0, salt=name, mark=_HIT))
        yield _target(f"{name}: pass-through", "pass", replace(job, mark=_MISS))
    for name, job in ASKED.items():
        yield _target(f"{name}: replayed", "hit", replace(job, repeats=1.0, salt=f"{name}-s", streams=1.0, mark=_HIT))
        yield _target(f"{name}: stream", "pass", replace(job, streams=1.0, mark=_MISS))


def _target(name: str, floor: Floor, job: Job) -> Target:
    return Target(name=name, floor=floor, job=job, fills=floor == "hit")


SETTING = Setting(
    name="dialects",
    title="A request in each dialect",
    targets=tuple(targets()),
    its=_OPENAI,
    more=_ANTHROPIC,
)


def run(*, rounds: int = 3, seconds: float = 2.0, setting: Setting = SETTING) -> Sheet:
    """The bench."""
    return gateway.run(rounds=rounds, seconds=seconds, callers=(JUDGED_AT,), setting=setting)
