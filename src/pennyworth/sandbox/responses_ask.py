"""Reading a request to Responses as strictly as OpenAI does."""

from __future__ import annotations

from typing import Any

from pennyworth.sandbox.ask import (
    Ask,
    RefusedError,
    body_object,
    check_content,
    invalid,
    number,
    optional,
    required,
)

_FEWEST = 16
"""OpenAI caps no answer of this dialect at less."""


def read_ask(body: bytes) -> Ask:
    """The request in these bytes; raises ``RefusedError``."""
    fields = body_object(body)
    model = required(fields, "model", str, "a string")
    _check_input(fields)
    optional(fields, "instructions", str, "a string")
    stream = bool(optional(fields, "stream", bool, "a boolean"))
    optional(fields, "store", bool, "a boolean")
    if optional(fields, "background", bool, "a boolean") and not stored(fields):
        raise RefusedError(400, "Background mode requires the response to be stored.", param="background")
    options = optional(fields, "stream_options", dict, "an object") or {}
    return Ask(
        fields=fields,
        model=model,
        n=1,
        stream=stream,
        wants_usage=True,
        padded=options.get("include_obfuscation") is not False,
        limit=number(fields, "max_output_tokens", _FEWEST, 2**31),
    )


def stored(fields: dict[str, Any]) -> bool:
    """OpenAI stores a response unless it is told not to."""
    return fields.get("store") is not False


def unknown_model(model: str) -> RefusedError:
    """As recorded: 400, where chat completions answers 404."""
    return RefusedError(400, f"The requested model '{model}' does not exist.", code="model_not_found", param="model")


def _check_input(fields: dict[str, Any]) -> None:
    said = fields.get("input")
    if said is None and fields.get("previous_response_id"):
        return
    required(fields, "input", object, "anything")
    if isinstance(said, str):
        return
    if not isinstance(said, list):
        raise invalid("input", "a string or an array of objects", said)
    if not said:
        raise RefusedError(400, "Invalid 'input': empty array.", code="empty_array", param="input")
    for place, item in enumerate(said):
        name = f"input[{place}]"
        if not isinstance(item, dict):
            raise invalid(name, "an object", item)
        if not isinstance(item.get("role", item.get("type")), str):
            raise RefusedError(
                400,
                f"Missing required parameter: '{name}.role'.",
                code="missing_required_parameter",
                param=f"{name}.role",
            )
        if "role" in item:
            check_content(f"{name}.content", item.get("content"))
