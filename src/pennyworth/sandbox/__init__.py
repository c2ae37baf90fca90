"""A provider simulator: speaks OpenAI's chat completions, Responses and embeddings and Anthropic's Messages over HTTP, fails
as told, and keeps a bill of its own.

It shares no code with the gateway's prices, decisions or wire formats, so that each can be checked against the other.
"""

from pennyworth.sandbox.bill import Bill, BillLine, Tokens, random_prices
from pennyworth.sandbox.embeddings import check_vector, expected_vector
from pennyworth.sandbox.faults import Kind, Rule
from pennyworth.sandbox.latency import Latency
from pennyworth.sandbox.remote import SandboxControl
from pennyworth.sandbox.serve import SandboxServer, serve
from pennyworth.sandbox.settings import Settings, default_prices
from pennyworth.sandbox.watermark import check_answer, expected_watermark, tenant_of

__all__ = [
    "Bill",
    "BillLine",
    "Kind",
    "Latency",
    "Rule",
    "SandboxControl",
    "SandboxServer",
    "Settings",
    "Tokens",
    "check_answer",
    "check_vector",
    "default_prices",
    "expected_vector",
    "expected_watermark",
    "random_prices",
    "serve",
    "tenant_of",
]
