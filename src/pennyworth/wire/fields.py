"""Errors that name a field, its value and the fix, without saying back what may be a secret."""

from __future__ import annotations

from collections.abc import Iterable

from pennyworth.errors import RequestError

FORBIDDEN = frozenset(("api_base", "base_url", "api_key"))
"""Body fields by which other gateways let a caller choose who is asked (CVE-2024-6587)."""

_LONGEST_MODEL = 256
_SHOWN = 60


def refuse_forbidden(fields: Iterable[str]) -> None:
    """Raises ``RequestError`` for a field of a body by which a caller would choose who is asked."""
    if not FORBIDDEN.isdisjoint(fields):
        name = next(name for name in fields if name in FORBIDDEN)
        raise RequestError(  # its value may be a key, which is not said back
            f"{name} is not accepted: providers and their keys come from the configuration only. Leave it out.",
            code="invalid_value",
            param=name,
        )


def model_in(fields: dict[str, object], example: str) -> str:
    """The model a body names. Raises ``RequestError``."""
    model = fields.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= _LONGEST_MODEL or not model.isprintable():
        raise wrong("model", model, f'the name of a model is needed, such as "{example}"')
    return model


def messages_in(fields: dict[str, object]) -> list[dict[str, object]]:
    """The turns of a conversation, at least one. Raises ``RequestError``."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", messages, "a list with at least one message is needed")
    for i, message in enumerate(messages):
        if message.__class__ is not dict:
            raise wrong(f"messages[{i}]", message, "a message is an object with role and content")
    return messages


def switch_in(fields: dict[str, object], name: str) -> bool:
    """A field that is true, false, null or absent. Raises ``RequestError``."""
    value = fields.get(name)
    if value is not None and value.__class__ is not bool:
        raise wrong(name, value, "true or false is needed")
    return value is True


def wrong(name: str, value: object, fix: str) -> RequestError:
    said = f"{name} is missing" if value is None else f"{name}: {shown(value)} cannot be used"
    return RequestError(f"{said}; {fix}.", code="invalid_value", param=name)


def shown(value: object) -> str:
    """As the caller wrote it, if that is short; bounded work, whatever its size."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return f"an {'object' if isinstance(value, dict) else 'array'} of {len(value)}"
        case str():
            return repr(value[:_SHOWN] + ("…" if len(value) > _SHOWN else ""))
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
