"""The requests that are sent in measurements: the same bytes for the same question, whoever makes them.

A system prompt of 384 bytes and a short question, temperature 0: about 550 bytes of JSON.
"""

from __future__ import annotations

MODEL = "gpt-4o-mini"
"""A model with a published price: an unpriced one would spare the books half their work."""

PACED = b"piece by piece"
"""Where these words stand in a body, the upstream streams its events one by one, not all at once."""

SYSTEM = "You are a helpful assistant for an online shop. " * 8
_FILLER = SYSTEM.encode()
_HEAD = (
    b'{"model":"' + MODEL.encode() + b'","messages":[{"role":"system","content":"'
    b"%b" + _FILLER + b'"},{"role":"user","content":"Question %b: what is the return policy?"}],'
    b'"temperature":0,"max_tokens":64'
)


def body(question: str, *, stream: bool = False, paced: bool = False, trace: str = "") -> bytes:
    """A chat completion request.

    Args:
        trace: goes into ``metadata``, which no key counts: other bytes for the same question.
    """
    head = _HEAD % (PACED + b". " if paced else b"", question.encode())
    if trace:
        head += b',"metadata":{"trace":"' + trace.encode() + b'"}'
    return head + (b',"stream":true}' if stream else b"}")
