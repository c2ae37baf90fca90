"""Bodies as providers sent or document them; where each is from stands in docs/providers.md."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.decide.account import account_exhausted

QUOTA = "You exceeded your current quota, please check your plan and billing details."

EXHAUSTED = {
    "OpenAI": (429, {"error": {"message": QUOTA, "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}}),
    "OpenAI, older": (429, {"error": {"message": QUOTA, "type": "insufficient_quota", "param": None, "code": None}}),
    "OpenAI, inactive": (429, {"error": {"message": "Your account is not active, please check your billing details on our "
        "website.", "type": "billing_not_active", "param": None, "code": "billing_not_active"}}),
    "OpenAI, hard limit": (400, {"error": {"code": "billing_hard_limit_reached", "message": "Billing hard limit has been "
        "reached.", "param": None, "type": "invalid_request_error"}}),
    "OpenAI, project limit": (429, {"error": {"message": "…", "type": "…", "code": "project_spend_limit_exceeded"}}),
    "DeepSeek": (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": None,
        "code": "invalid_request_error"}}),
    "DeepSeek behind a gateway": (400, {"error": {"message": "Insufficient Balance", "type": "unknown_error",
        "param": None, "code": "invalid_request_error"}}),
    "DashScope": (400, {"error": {"code": "Arrearage", "param": None, "message": "Access denied, please make sure your "
        "account is in good standing.", "type": "Arrearage"}, "request_id": "f9fdb027-830c-9e05-8366-ce479a878825"}),
    "DashScope, native": (400, {"code": "Arrearage", "message": "Access denied, please make sure your account is in good "
        "standing.", "request_id": "8af536f9-6b8b-93b5-bb5f-1597a3f65db4"}),
    "DashScope, free tier": (403, {"error": {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier of the "
        "model has been exhausted.", "type": "AllocationQuota.FreeTierOnly"}}),
    "OpenRouter": (402, {"error": {"message": "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
        "code": 402, "metadata": {"limit_source": "openrouter_credits"}}}),
    "Groq": (400, {"error": {"message": "API access blocked: spend limit reached.", "code": "blocked_api_access"}}),
    "Gemini": (429, [{"error": {"code": 429, "message": "Your prepayment credits are depleted. Please go to AI Studio.",
        "status": "RESOURCE_EXHAUSTED"}}]),
    "Google, no billing": (403, [{"error": {"code": 403, "message": "This API method requires billing to be enabled.",
        "status": "PERMISSION_DENIED", "details": [{"reason": "BILLING_DISABLED"}]}}]),
    "xAI": (403, {"code": "The caller does not have permission to execute the specified operation", "message": "Your team "
        "c03b3526-bed4 has either used all available credits or reached its monthly spending limit."}),
    "Moonshot": (429, {"error": {"message": "Your account org-x <ak-y> is suspended due to insufficient balance",
        "type": "exceeded_current_quota_error"}}),
    "a reseller with new-api": (403, {"error": {"message": "user quota is not enough (request id: 2024)",
        "type": "new_api_error", "param": "", "code": "insufficient_user_quota"}}),
    "SiliconFlow": (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
    "a reseller in Chinese": (403, {"error": {"message": "账户余额不足,请充值", "type": "error"}}),
}  # fmt: skip

NOT_EXHAUSTED = {
    "OpenRouter, a dear request": (402, {"error": {"message": "This request requires more credits, or fewer max_tokens. You "
        "requested up to 65536 tokens, but can only afford 4000.", "code": 402}}),
    "OpenAI, too fast": (429, {"error": {"message": "Rate limit reached for gpt-4o in organization org-x on tokens per min",
        "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}),
    "Gemini, too fast": (429, [{"error": {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED"}}]),
    "Gemini, overloaded": (429, {"error": {"code": 429, "message": "Resource exhausted. Please try again later.",
        "status": "RESOURCE_EXHAUSTED"}}),
    "DashScope, too fast": (429, {"error": {"message": f"{QUOTA} For details, see: "
        "https://help.aliyun.com/zh/model-studio/error-code#token-limit", "type": "insufficient_quota",
        "code": "insufficient_quota"}}),
    "Mistral, too fast": (429, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": None,
        "code": "1300", "raw_status_code": 429}),
    "Mistral, full": (429, {"object": "error", "message": "Service tier capacity exceeded for this model.",
        "type": "invalid_request_error", "param": None, "code": None}),
    "a wrong key": (401, {"error": {"message": "Incorrect API key provided: sk-.", "type": "invalid_request_error",
        "param": None, "code": "invalid_api_key"}}),
    "what the caller wrote": (400, {"error": {"message": "Invalid value: 'Insufficient balance: insufficient_quota 余额不足'",
        "type": "invalid_request_error", "param": "messages", "code": "invalid_value"}}),
    "an error of the server's": (500, {"error": {"message": "…", "code": "insufficient_quota"}}),
    "an answer": (200, {"choices": [{"message": {"content": "insufficient_quota"}}], "usage": {}}),
}  # fmt: skip


@pytest.mark.parametrize("name", EXHAUSTED)
def test_an_account_without_money_is_told(name: str) -> None:
    status, body = EXHAUSTED[name]
    assert account_exhausted(status, json.dumps(body).encode())


@pytest.mark.parametrize("name", NOT_EXHAUSTED)
def test_anything_else_is_not_taken_for_one(name: str) -> None:
    status, body = NOT_EXHAUSTED[name]
    assert not account_exhausted(status, json.dumps(body).encode())


def test_an_error_within_a_stream_is_read_too() -> None:
    event = {"id": "gen-1", "choices": [], "error": {"code": 402, "message": "Insufficient credits."}}
    stream = b': OPENROUTER PROCESSING\n\ndata: {"choices":[]}\n\ndata: ' + json.dumps(event).encode() + b"\n\n"
    assert account_exhausted(200, stream)
    assert not account_exhausted(200, stream.replace(b"402", b"502").replace(b"Insufficient", b"No"))


@given(st.integers(200, 599), st.binary(max_size=200))
def test_no_body_is_too_odd(status: int, body: bytes) -> None:
    assert account_exhausted(status, body) is (status == 402)


@given(st.text(min_size=1, max_size=80))
def test_what_a_caller_wrote_cannot_exhaust_an_account(text: str) -> None:
    body = {"error": {"message": f"Invalid value: {text}", "code": "invalid_value", "type": "invalid_request_error"}}
    assert not account_exhausted(400, json.dumps(body).encode())


def test_a_body_nested_very_deep_is_not_read() -> None:
    assert not account_exhausted(400, b"[" * 60_000)
