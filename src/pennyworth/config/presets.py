"""The providers known by name: where they are, what their models are called, and which variables hold their keys.

Base URLs are those of each company's OpenAI-compatible endpoint, from its own documentation.
"""

from __future__ import annotations

import msgspec

from pennyworth.plan import PLAIN, SPOKEN, Auth, Quirks
from pennyworth.request import Dialect


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A provider known by name.

    Attributes:
        price_provider: its name in the price book. ``published``: that book has prices for it.
        url_env: the variable by which its own SDK is pointed elsewhere; with ``url_suffix`` appended to it.
        keyless: a server of one's own, which asks for a key only if it was started with one.
        dialects: those it speaks, as in ``plan.Provider``.
        named_only: the key alone does not bring it in; the file has to name it.
    """

    name: str
    base_url: str
    key_env: str
    models: tuple[str, ...]
    price_provider: str
    url_env: str = ""
    url_suffix: str = ""
    auth: Auth = "bearer"
    quirks: Quirks = PLAIN
    dialects: tuple[Dialect, ...] = SPOKEN
    keyless: bool = False
    named_only: bool = False
    published: bool = True


_CAP_IS_MAX_TOKENS = Quirks(cap_field="max_tokens")
"""DeepSeek ignores ``max_completion_tokens`` without a word, and Ollama knows no such field: the answer would have no cap."""

_STRICT = Quirks(leave_out=("stream_options", "user", "service_tier", "safety_identifier"), cap_field="max_tokens")
"""Mistral refuses every field it does not know (422 ``extra_forbidden``), and says its usage unasked."""


# The order is that of asking when several keys are set: the narrow patterns before the wide ones.
PRESETS = (
    Preset(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        models=("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "codex-*", "text-embedding-*"),
        price_provider="openai",
        url_env="OPENAI_BASE_URL",
    ),
    Preset(
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        key_env="DEEPSEEK_API_KEY",
        models=("deepseek-*",),
        price_provider="deepseek",
        quirks=_CAP_IS_MAX_TOKENS,
    ),
    Preset(
        name="dashscope",
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        key_env="DASHSCOPE_API_KEY",
        models=("qwen*", "qwq*", "qvq*"),
        price_provider="dashscope",
        published=False,
    ),
    Preset(  # Singapore. Keys belong to one region, but their variable has one name
        name="dashscope-intl",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_env="DASHSCOPE_API_KEY",
        models=("qwen*", "qwq*", "qvq*"),
        price_provider="dashscope-intl",
        published=False,
        named_only=True,
    ),
    Preset(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_env="MISTRAL_API_KEY",
        models=(
            "mistral-*",
            "ministral-*",
            "magistral-*",
            "codestral-*",
            "devstral-*",
            "pixtral-*",
            "voxtral-*",
            "open-mi*",
        ),
        price_provider="mistral",
        quirks=_STRICT,
    ),
    Preset(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        models=("llama-*", "meta-llama/*", "openai/gpt-oss-*", "moonshotai/kimi-*", "qwen/*"),
        price_provider="groq",
    ),
    Preset(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        models=("gemini-*", "gemma-*"),
        price_provider="google",
    ),
    Preset(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
        models=("*/*",),
        price_provider="openrouter",
    ),
    Preset(  # the v1 API: deployments are named as models; a token of Entra ID needs auth = "bearer"; no address of its own
        name="azure",
        base_url="",
        key_env="AZURE_OPENAI_API_KEY",
        models=("*",),
        price_provider="azure",
        url_env="AZURE_OPENAI_ENDPOINT",
        url_suffix="/openai/v1",
        auth="api-key",
    ),
    Preset(
        name="vllm",
        base_url="http://localhost:8000/v1",
        key_env="VLLM_API_KEY",
        models=("*",),
        price_provider="vllm",
        published=False,
        keyless=True,
        named_only=True,
    ),
    Preset(
        name="sglang",
        base_url="http://localhost:30000/v1",
        key_env="SGLANG_API_KEY",
        models=("*",),
        price_provider="sglang",
        published=False,
        keyless=True,
        named_only=True,
    ),
    Preset(
        name="ollama",
        base_url="http://localhost:11434/v1",
        key_env="OLLAMA_API_KEY",
        models=("*",),
        price_provider="ollama",
        published=False,
        quirks=_CAP_IS_MAX_TOKENS,
        keyless=True,
        named_only=True,
    ),
)


def preset_named(name: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.name == name), None)
