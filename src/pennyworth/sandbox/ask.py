"""Reading a request as strictly as OpenAI does: what it refuses, and with which words. Here a chat request.

Unknown fields are accepted, because most OpenAI-compatible servers do.
"""

from __future__ import annotations

from typing import Any

import msgspec


class RefusedError(Exception):
    """A request answered by an error in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, kind=kind, code=code, param=param)


def error_body(message: str, *, kind: str, code: str | None = None, param: str | None = None) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


SERVER_ERROR = error_body(
    "The server had an error while processing your request. Sorry about that!", kind="server_error"
)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request the sandbox will answer.

    Attributes:
        limit: tokens of the answer at most (``max_completion_tokens``, ``max_tokens``, ``max_output_tokens``).
        thinks: it is to think before it answers; ``None`` = that is the model's own way.
        tenant: whose it is, where the answer depends on that.
        earlier: what was said before by the provider's own memory (``previous_response_id``), as items.
    """

    fields: dict[str, Any]
    model: str
    n: int
    stream: bool
    wants_usage: bool
    padded: bool
    limit: int | None
    thinks: bool | None = None
    tenant: str = ""
    earlier: tuple[dict[str, Any], ...] = ()


def read_ask(body: bytes) -> Ask:
    """The chat request in these bytes; raises ``RefusedError``."""
    fields = body_object(body)
    model = required(fields, "model", str, "a string")
    messages = required(fields, "messages", list, "an array of objects")
    _check_messages(messages)
    stream = bool(optional(fields, "stream", bool, "a boolean"))
    options = optional(fields, "stream_options", dict, "an object") or {}
    if options and not stream:
        raise RefusedError(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    return Ask(
        fields=fields,
        model=model,
        n=number(fields, "n", 1, 128) or 1,
        stream=stream,
        wants_usage=options.get("include_usage") is True,
        padded=options.get("include_obfuscation") is not False,
        limit=number(fields, "max_completion_tokens", 1, 2**31) or number(fields, "max_tokens", 1, 2**31),
    )


def unknown_model(model: str) -> RefusedError:
    return RefusedError(
        404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found"
    )


def body_object(body: bytes) -> dict[str, Any]:
    """The fields of a body; raises ``RefusedError``, as all here do."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise RefusedError(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
        )
    return fields


def required(fields: dict[str, Any], name: str, kind: type, words: str) -> Any:
    if fields.get(name) is None:
        raise RefusedError(400, f"Missing required parameter: '{name}'.", code="missing_required_parameter", param=name)
    return optional(fields, name, kind, words)


def optional(fields: dict[str, Any], name: str, kind: type, words: str) -> Any:
    """A field of this kind, or ``None``. ``words``: for the kind, in an error."""
    value = fields.get(name)
    if value is not None and not isinstance(value, kind):
        raise invalid(name, words, value)
    return value


def number(fields: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(name, "an integer", value)
    if not least <= value <= most:
        raise RefusedError(
            400,
            f"Invalid '{name}': expected a value between {least} and {most}, but got {value} instead.",
            code="integer_out_of_range",
            param=name,
        )
    return value


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        raise RefusedError(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
    for number, message in enumerate(messages):
        name = f"messages[{number}]"
        if not isinstance(message, dict):
            raise invalid(name, "an object", message)
        if not isinstance(message.get("role"), str):
            raise RefusedError(
                400,
                f"Missing required parameter: '{name}.role'.",
                code="missing_required_parameter",
                param=f"{name}.role",
            )
        check_content(f"{name}.content", message.get("content"))


def check_content(name: str, content: Any) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise invalid(name, "a string or an array of objects", content)


def invalid(name: str, words: str, value: Any) -> RefusedError:
    got = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        list: "an array",
        dict: "an object",
    }
    return RefusedError(
        400,
        f"Invalid type for '{name}': expected {words}, but got {got.get(type(value), 'null')} instead.",
        code="invalid_type",
        param=name,
    )
