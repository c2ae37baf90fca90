"""Is a refusal about money? An exhausted account is no rate limit: waiting does not help, and somebody has to pay.

Told by what the provider's machine-readable fields say, or by how its sentence begins; never by words somewhere in a
message, because messages quote what the caller wrote. docs/providers.md has the table, provider by provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

_PAYMENT_REQUIRED = 402
"""DeepSeek, OpenRouter, Together, Cerebras, Anthropic's ``billing_error``: the status nearly says it by itself."""

_LONGEST = 64 * 1024

_CODES = frozenset(
    [
        "insufficient_quota",  # OpenAI, 429, and its resellers
        "billing_not_active",  # OpenAI, 429
        "billing_hard_limit_reached",  # OpenAI, 400
        "organization_spend_limit_exceeded",  # OpenAI, 429: the hard limit that the customer set
        "project_spend_limit_exceeded",
        "billing_disabled",  # Google, 403, among the details
        "arrearage",  # DashScope, 400
        "allocationquota.freetieronly",  # DashScope, 403: the free quota is used up and paid use is switched off
        "prepaidbilloverdue",  # DashScope, 403
        "postpaidbilloverdue",
        "blocked_api_access",  # Groq, 400: the spend limit that the customer set
        "exceeded_current_quota_error",  # Moonshot, 429
        "accountoverdueerror",  # Volcengine, 403
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_user_quota",  # one-api and new-api, 403: what most resellers run
        "pre_consume_token_quota_failed",
        "credit_limit",  # Together
        "billing_error",  # Anthropic
    ]
)

_SENTENCES = re.compile(
    r"Your credit balance is too low"  # Anthropic, 400 invalid_request_error
    r"|Your team \S{1,64} has either used all available credits"  # xAI, 403 or 429
    r"|Your prepayment credits are depleted"  # Gemini, 429 RESOURCE_EXHAUSTED
    r"|(?:Sorry, your )?account balance is (?:insufficient|not enough)"  # SiliconFlow, 403
    r"|Insufficient balance|Insufficient credits"  # DeepSeek behind gateways that make a 400 of its 402; Zhipu, 429
    r"|Access denied, please make sure your account is in good standing"  # DashScope behind gateways
    r"|您的账户已欠费|您的账户余额不足|账户余额不足|余额不足",
    re.IGNORECASE,
)

_TOO_DEAR = re.compile(r"This request requires more credits|More credits are required to run this request")
"""OpenRouter, 402: "or fewer max_tokens". One caller's greed must not leave everybody without the account."""

_RATE_OF_ALIBABA = "error-code#token-limit"
"""DashScope says ``insufficient_quota`` of tokens a minute, too, and links to this place of its documentation."""


def account_exhausted(status: int, body: bytes) -> bool:
    """Whether the provider refuses because the account has no money, quota or credit left.

    ``status``: of the HTTP reply, 200 for an error that came within a stream. ``body``: of the reply, whatever it is.
    Not so where only this request is dearer than what is left: others may still be paid for.
    """
    if status == _PAYMENT_REQUIRED:
        return not any(_TOO_DEAR.match(str(error.get("message"))) for error in _errors(body[:_LONGEST]))
    if (status < 400 and b'"error"' not in body) or status >= 500 or len(body) > _LONGEST:
        return False
    return any(_says_so(error) for error in _errors(body))


def _says_so(error: dict[str, Any]) -> bool:
    words = {str(error.get(name)).lower() for name in ("code", "type", "status", "reason")}
    message = error.get("message")
    message = message if isinstance(message, str) else ""
    if _RATE_OF_ALIBABA in message:
        return False
    return not words.isdisjoint(_CODES) or str(_PAYMENT_REQUIRED) in words or bool(_SENTENCES.match(message))


def _errors(body: bytes) -> Iterator[dict[str, Any]]:
    """The error objects of a JSON body, or of a stream's events."""
    texts = [body]
    if not body.lstrip().startswith((b"{", b"[")):
        texts = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and b'"error"' in line]
    for text in texts:
        try:
            yield from _within(msgspec.json.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue


def _within(tree: object) -> Iterator[dict[str, Any]]:
    """Google wraps the object in a list; DashScope's own API and some resellers have no ``error`` around it."""
    for one in tree if isinstance(tree, list) else [tree]:
        if isinstance(one, dict):
            error = one.get("error", one)
            if isinstance(error, dict):
                yield error
                details = error.get("details")
                yield from (
                    [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else ()
                )
