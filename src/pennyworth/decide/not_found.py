"""A provider answered 404: is the address wrong, or does a server of one's own not have the model?

Companies say themselves which model does not exist, and their words are passed on. Own servers (vLLM, SGLang, Ollama) and
wrong addresses leave the caller with less, so they are put in words.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pennyworth.plan import Target

_OWN_SERVERS = frozenset(["notfounderror", "not_found_error"])
"""The error's type: vLLM and SGLang; Ollama."""

_MOST = 200


def not_found(raw: bytes, target: Target) -> tuple[str, str] | None:
    """Code and message; ``None`` where the provider's own words are better."""
    error = _error(raw)
    said = error.get("message")
    at = target.provider
    if not isinstance(said, str) or not said:
        return "upstream_not_found", (
            f"{target.name}: there is nothing at {at.base_url}/chat/completions (404). Is the version missing at the end of "
            f"the base URL, as in …/v1? Check providers.{at.name}.base_url."
        )
    if str(error.get("type", "")).lower() not in _OWN_SERVERS:
        return None
    return "model_not_found", (
        f"{target.name}: the server has no model of this name ({said[:_MOST]}). It lists those it has at {at.base_url}/models, a "
        f'LoRA adapter under its own name once it is loaded. Check models."{target.model}" and providers.{at.name}.models.'
    )


def _error(raw: bytes) -> Mapping[str, object]:
    """The error object, which older versions of vLLM do not put into another one."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    error = body.get("error", body) if isinstance(body, dict) else {}
    return error if isinstance(error, dict) else {"message": error}
