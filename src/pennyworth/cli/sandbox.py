"""``pennyworth sandbox``: the simulated provider by itself."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from pennyworth.cli.exits import OK, CommandError, wrong_usage
from pennyworth.sandbox import Latency, Rule, Settings
from pennyworth.sandbox.serve import address, bind, serve_on

_PRICES = '{"my-model": {"input": "0.15", "output": "0.60", "cached": "0.075"}}'
_FAULTS = '{"rules": [{"kind": "cut", "every": 10}]}'


def sandbox(
    *,
    host: Annotated[
        str, Parameter(help="Address; its control endpoints have no key, so keep it on loopback.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port; 0 takes a free one.")] = 8090,
    prices: Annotated[str | None, Parameter(help="TOML or JSON: model to dollars per million tokens.")] = None,
    faults: Annotated[str | None, Parameter(help="TOML or JSON: the rules by which it fails.")] = None,
    ttft: Annotated[float, Parameter(help="Seconds to the first token.")] = 0.0,
    tokens_per_s: Annotated[
        float, Parameter(name="--tokens-per-s", help="Output tokens a second; 0 is at once.")
    ] = 0.0,
    jitter: Annotated[float, Parameter(help="0.2: each request is faster or slower by up to 20 %.")] = 0.0,
    seed: Annotated[int, Parameter(help="Of chance: the same seed fails in the same places.")] = 0,
) -> int:
    """Run a simulated provider with a bill of its own.

    It speaks OpenAI's chat completions, Responses and embeddings, Anthropic's
    Messages, files and batches; answers with marked nonsense, fails as it is
    told, and keeps an invoice at /__sandbox/bill that shares no code with the
    gateway's prices. docs/sandbox.md has the rules for faults.

    For example:

        pennyworth sandbox
        pennyworth sandbox --port 8090 --ttft 0.3 --tokens-per-s 80
        pennyworth sandbox --prices prices.json --faults faults.json
    """
    pace = Latency(first_token_s=ttft, tokens_per_s=tokens_per_s, jitter=jitter)
    table = _read(prices, dict[str, dict[str, str]], _PRICES) if prices else None
    settings = Settings(seed=seed, latency=pace, rules=_rules(faults) if faults else ())
    if table:
        settings = msgspec.structs.replace(settings, prices=table)
    try:
        listener = bind(host, port)
    except OSError as error:
        problem = f"The sandbox cannot listen on {host}:{port}: {error.strerror}."
        raise CommandError(problem, "Choose another port, such as --port 0 for a free one.") from error
    url, model = address(listener), next(iter(settings.prices))
    print(f"A simulated provider listens on {url}/v1; its bill: {url}/__sandbox/bill", flush=True)
    question = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "What is money?"}}]}}'
    print(f"Try: curl {url}/v1/chat/completions -H 'Authorization: Bearer any' -d '{question}'", flush=True)
    serve_on(listener, settings)
    return OK


def _rules(path: str) -> tuple[Rule, ...]:
    content = _content(path, _FAULTS)
    listed = content.get("rules") if isinstance(content, dict) else content
    rules: tuple[Rule, ...] = _converted(listed, tuple[Rule, ...], path, _FAULTS)
    return rules


def _read(path: str, kind: type[Any], example: str) -> Any:
    return _converted(_content(path, example), kind, path, example)


def _content(path: str, example: str) -> Any:
    """The file as plain values. JSON by its name, else TOML."""
    try:
        with open(path, "rb") as file:
            text = file.read()
        return msgspec.json.decode(text) if path.endswith(".json") else tomllib.loads(text.decode())
    except OSError as error:
        raise wrong_usage(f"{path!r} cannot be read: {error.strerror}.", f"Name a file such as: {example}") from error
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        kind = "JSON" if path.endswith(".json") else "TOML"
        raise wrong_usage(f"{path!r} is not {kind}: {error}.", f"As JSON it would be: {example}") from error


def _converted(content: Any, kind: Any, path: str, example: str) -> Any:
    try:
        return msgspec.convert(content, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_usage(f"{path!r} cannot be used: {error}.", f"As JSON it would be: {example}") from error
