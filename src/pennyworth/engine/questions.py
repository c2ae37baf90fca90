"""What a request asks, for its key: in the form that every dialect shares, where it has one, and its wording folded."""

from __future__ import annotations

from pennyworth.decide import normalise
from pennyworth.decide.key import NEUTRAL, Question, said_back
from pennyworth.decide.spoken import CONVERSATIONS
from pennyworth.plan import CacheSpec
from pennyworth.request import Request
from pennyworth.wire.translate import plain_form


def question_of(request: Request, spec: CacheSpec, sent: Request | None = None) -> Question:
    """Wordings can be told from their normal form where messages stand as in chat completions. ``sent``: the request in
    the words of its target, where those are others, whose reply may say more of its caller than every dialect is to read."""
    plain = plain_form(request) if request.dialect in CONVERSATIONS and not said_back(sent or request) else None
    if plain is not None:
        return Question(NEUTRAL, plain, normalise.normalise_messages(plain, spec))
    fields = request.fields
    normal = normalise.normalise_messages(fields, spec) if request.dialect == "chat" else fields
    return Question(request.dialect, fields, normal)
