"""Reading a request to Messages as strictly as Anthropic does, which refuses fields it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pennyworth.sandbox.ask import Ask, RefusedError

_KNOWN = frozenset(
    (
        *("model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences"),
        *(
            "tools",
            "tool_choice",
            "thinking",
            "metadata",
            "service_tier",
            "output_config",
            "cache_control",
            "container",
        ),
        *("context_management", "mcp_servers", "inference_geo", "speed", "diagnostics", "output_format", "fallbacks"),
    )
)
_ROLES = ("user", "assistant", "system")
_MOST_MARKS = 4
_LEAST_BUDGET = 1024
_KINDS: Mapping[type, str] = {
    str: "a valid string",
    int: "a valid integer",
    bool: "a valid boolean",
    list: "a valid list",
    dict: "a valid dictionary",
}


def read_ask(body: bytes, *, counting: bool = False) -> Ask:
    """The request in these bytes; raises ``RefusedError``. ``counting``: only its tokens are asked for."""
    fields = _object(body)
    for name in fields:
        if name not in _KNOWN:
            raise _refused(f"{name}: Extra inputs are not permitted")
    model = _field(fields, "model", str, needed=True)
    limit = _field(fields, "max_tokens", int, needed=not counting)
    if limit is not None and limit < 1:
        raise _refused("max_tokens: Input should be greater than or equal to 1")
    _check_messages(_field(fields, "messages", list, needed=True))
    _check_marks(fields)
    stream = bool(_field(fields, "stream", bool))
    return Ask(
        fields=fields,
        model=model,
        n=1,
        stream=stream,
        wants_usage=True,
        padded=False,
        limit=limit,
        thinks=_thinks(fields, limit),
    )


def unknown_model(model: str) -> RefusedError:
    return RefusedError(404, f"model: {model}")


def marks(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The ``cache_control`` of every block that has one, in the order of the prompt: tools, system, messages."""
    for blocks in (fields.get("tools"), fields.get("system"), *_contents(fields)):
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict) and isinstance(mark := block.get("cache_control"), dict):
                yield mark


def _contents(fields: Mapping[str, Any]) -> Iterator[Any]:
    for message in fields["messages"]:
        yield message.get("content")


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _refused("The request body is not valid JSON: expected an object")
    return fields


def _field(fields: dict[str, Any], name: str, kind: type, *, needed: bool = False) -> Any:
    value = fields.get(name)
    if value is None:
        if needed:
            raise _refused(f"{name}: Field required")
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _refused(f"{name}: Input should be {_KINDS[kind]}")
    return value


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        raise _refused("messages: at least one message is required")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise _refused(f"messages.{place}.role: Input should be 'user' or 'assistant'")
        _check_content(f"messages.{place}.content", message.get("content"))
    if messages[0]["role"] != "user":
        raise _refused('messages: first message must use the "user" role')
    _check_results(messages)


def _check_content(name: str, content: Any) -> None:
    if isinstance(content, str):
        if not content:
            raise _refused(f"{name}: text content must be non-empty")
        return
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise _refused(f"{name}: Input should be a valid list")
    for place, block in enumerate(content):
        if not isinstance(block.get("type"), str):
            raise _refused(f"{name}.{place}.type: Field required")
        if block["type"] == "text" and not block.get("text"):
            raise _refused("messages: text content blocks must be non-empty")


def _check_results(messages: list[Any]) -> None:
    """Every call is answered in the very next turn, and nothing else is."""
    called: set[str] = set()
    for place, (role, blocks) in enumerate(_turns(messages)):
        answered = {str(block.get("tool_use_id")) for block in blocks if block["type"] == "tool_result"}
        if role == "user" and (stray := answered - called):
            raise _refused(f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {min(stray)}")
        if role == "user" and (left := called - answered):
            raise _refused(
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {min(left)}"
            )
        called = {str(block.get("id")) for block in blocks if block["type"] == "tool_use"}


def _turns(messages: list[Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The messages with consecutive ones of a role put together, as Anthropic reads them."""
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "system":
            continue
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks)
        else:
            turns.append((message["role"], list(blocks)))
    return turns


def _check_marks(fields: dict[str, Any]) -> None:
    found = [mark.get("ttl", "5m") for mark in marks(fields)]
    if len(found) > _MOST_MARKS:
        raise _refused(f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. Found {len(found)}.")
    if found != sorted(found):  # "1h" before "5m"
        raise _refused("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")
    if not {"1h", "5m"}.issuperset(found):
        raise _refused("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")


def _thinks(fields: dict[str, Any], limit: int | None) -> bool:
    thinking = _field(fields, "thinking", dict) or {"type": "disabled"}
    if thinking.get("type") == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < _LEAST_BUDGET:
            raise _refused(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
        if limit is not None and limit <= budget:
            raise _refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return thinking.get("type") in ("enabled", "adaptive")


def _refused(message: str) -> RefusedError:
    return RefusedError(400, message)
