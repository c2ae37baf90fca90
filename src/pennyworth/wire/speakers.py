"""The dialects in which a conversation can be held, as translation needs them.

To add one: a module with these functions, and its name here (docs/extend/dialect.md has what else there is to do).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from pennyworth.request import Dialect
from pennyworth.wire.chat import neutral as chat
from pennyworth.wire.losses import Losses
from pennyworth.wire.messages import neutral as messages
from pennyworth.wire.neutral.nouns import Prompt
from pennyworth.wire.neutral.replies import Completion
from pennyworth.wire.portable import Meaningless
from pennyworth.wire.responses import neutral as responses


class Speaker(Protocol):
    """A dialect in neutral nouns.

    - ``prompt_of``, ``completion_of`` read a body, whatever it holds, and raise nothing; ``completion_of`` gives ``None``
      for what is no reply. ``fields_of``, ``body_of`` write it. Reading and then writing gives the same JSON value.
    - ``adopt``: a prompt of another dialect as this one can say it: what it must have is added, what it has no words for
      goes to ``Losses``. ``adopt_reply``: a completion likewise; raises ``CannotSayError``.
    - ``FIELDS``: what it calls the nouns of a prompt, where that is not the noun's own name.
    - ``MEANINGLESS``: its members that say nothing to others. ``LOUD``: those of a reply's turn that say something.
    """

    @property
    def FIELDS(self) -> Mapping[str, str]: ...  # noqa: N802  constants of the module

    @property
    def MEANINGLESS(self) -> Meaningless: ...  # noqa: N802

    @property
    def LOUD(self) -> Collection[str]: ...  # noqa: N802

    def prompt_of(self, fields: Mapping[str, Any]) -> Prompt: ...

    def fields_of(self, prompt: Prompt) -> dict[str, Any]: ...

    def adopt(self, prompt: Prompt, losses: Losses) -> Prompt: ...

    def completion_of(self, body: Mapping[str, Any]) -> Completion | None: ...

    def body_of(self, completion: Completion) -> dict[str, Any]: ...

    def adopt_reply(self, completion: Completion) -> Completion: ...


SPEAKERS: Mapping[Dialect, Speaker] = {"chat": chat, "messages": messages, "responses": responses}

_OPENAI = frozenset((
    "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
))  # fmt: skip

SAME: Mapping[tuple[Dialect, Dialect], Collection[str]] = {
    ("chat", "responses"): _OPENAI,
    ("responses", "chat"): _OPENAI,
    ("chat", "messages"): frozenset(("top_k",)),  # vLLM's and OpenRouter's, with Anthropic's meaning
}
"""Fields that are no nouns, but mean the same from one dialect to another under one name."""
