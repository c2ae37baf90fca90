"""The providers known by name: where they are, what their models are called, and which variables hold their keys.

Base URLs are those of each company's OpenAI-compatible endpoint, from its own documentation.
"""

from __future__ import annotations

import msgspec

from pennyworth.plan import EVERY, PLAIN, SPOKEN, Auth, Quirks
from pennyworth.request import Dialect


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A provider known by name.

    Attributes:
        price_provider: its name in the price book. ``published``: that book has prices for it.
        url_env: the variable by which its own SDK is pointed elsewhere; with ``url_suffix`` appended to it.
        batch: it has a batch API, as in ``plan.Provider``.
        keyless: a server of one's own, which asks for a key only if it was started with one.
        dialects: those it speaks, as in ``plan.Provider``. ``headers``: sent with every call, unless the file or the
            caller says another.
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
    headers: tuple[tuple[str, str], ...] = ()
    batch: bool = False
    keyless: bool = False
    named_only: bool = False
    published: bool = True


_CAP_IS_MAX_TOKENS = Quirks(cap_field="max_tokens")
"""DeepSeek ignores ``max_completion_tokens`` without a word, and Ollama knows no such field: the answer would have no cap."""

_STRICT = Quirks(leave_out=("stream_options", "user", "service_tier", "safety_identifier"), cap_field="max_tokens")
"""Mistral refuses every field it does not know (422 ``extra_forbidden``), and says its usage unasked."""


_VERSION = (("anthropic-version", "2023-06-01"),)
"""Anthropic's dialect refuses a request that does not say which version it is in; this one is the latest."""

# The order is that of asking when several keys are set: the narrow patterns before the wide ones.
PRESETS = (
    Preset(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        models=("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "codex-*", "text-embedding-*"),
        price_provider="openai",
        url_env="OPENAI_BASE_URL",
        batch=True,
    ),
    Preset(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        key_env="ANTHROPIC_API_KEY",
        models=("claude-*",),
        price_provider="anthropic",
        url_env="ANTHROPIC_BASE_URL",
        url_suffix="/v1",
        auth="x-api-key",
        dialects=("messages", "other"),
        headers=_VERSION,
        batch=True,
    ),
    Preset(  # its Responses endpoint knows some of its models only, so these are asked in chat
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        key_env="DEEPSEEK_API_KEY",
        models=("deepseek-*",),
        price_provider="deepseek",
        quirks=_CAP_IS_MAX_TOKENS,
        dialects=("chat",),
    ),
    Preset(  # the same models in Anthropic's dialect
        name="deepseek-anthropic",
        base_url="https://api.deepseek.com/anthropic/v1",
        key_env="DEEPSEEK_API_KEY",
        models=("deepseek-*",),
        price_provider="deepseek",
        auth="x-api-key",
        dialects=("messages",),
        headers=_VERSION,
        named_only=True,
    ),
    Preset(
        name="dashscope",
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        key_env="DASHSCOPE_API_KEY",
        models=("qwen*", "qwq*", "qvq*"),
        price_provider="dashscope",
        dialects=("chat", "embeddings", "other"),
        batch=True,
        published=False,
    ),
    Preset(  # Singapore. Keys belong to one region, but their variable has one name
        name="dashscope-intl",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        key_env="DASHSCOPE_API_KEY",
        models=("qwen*", "qwq*", "qvq*"),
        price_provider="dashscope-intl",
        dialects=("chat", "embeddings", "other"),
        batch=True,
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
        dialects=("chat", "embeddings", "other"),
    ),
    Preset(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        models=("llama-*", "meta-llama/*", "openai/gpt-oss-*", "moonshotai/kimi-*", "qwen/*"),
        price_provider="groq",
        dialects=("chat", "responses", "other"),
    ),
    Preset(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        models=("gemini-*", "gemma-*"),
        price_provider="google",
        dialects=("chat", "embeddings", "other"),
    ),
    Preset(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
        models=("*/*",),
        price_provider="openrouter",
        dialects=EVERY,
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
    Preset(  # Claude by Azure: its deployments in Anthropic's dialect
        name="foundry",
        base_url="",
        key_env="ANTHROPIC_FOUNDRY_API_KEY",
        models=("claude-*",),
        price_provider="anthropic",
        url_env="ANTHROPIC_FOUNDRY_BASE_URL",
        url_suffix="/v1",
        auth="x-api-key",
        dialects=("messages",),
        headers=_VERSION,
        named_only=True,
    ),
    Preset(  # OpenAI's formats by AWS; the region is in its address
        name="bedrock",
        base_url="",
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        models=("openai.*", "*.openai.*"),
        price_provider="aws",
        url_env="AWS_BEDROCK_BASE_URL",
        dialects=("chat", "responses"),
        named_only=True,
    ),
    Preset(  # Claude by AWS in Anthropic's dialect; not InvokeModel, which is another wire format
        name="bedrock-anthropic",
        base_url="",
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        models=("anthropic.*", "*.anthropic.*"),
        price_provider="aws",
        url_env="ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
        url_suffix="/v1",
        dialects=("messages",),
        headers=_VERSION,
        named_only=True,
    ),
    Preset(
        name="vllm",
        base_url="http://localhost:8000/v1",
        key_env="VLLM_API_KEY",
        models=("*",),
        price_provider="vllm",
        dialects=EVERY,
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
        dialects=EVERY,
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
        dialects=EVERY,
        keyless=True,
        named_only=True,
    ),
    Preset(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        key_env="LM_API_TOKEN",
        models=("*",),
        price_provider="lmstudio",
        published=False,
        dialects=EVERY,
        keyless=True,
        named_only=True,
    ),
)


def preset_named(name: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.name == name), None)
