"""What the operator says of single models: where they are, their revision, their price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.config.kinds import TEXT
from pennyworth.config.problems import dotted
from pennyworth.config.reading import Reading
from pennyworth.config.schema_routing import MODEL, PRICE
from pennyworth.money import Price, Rate
from pennyworth.plan import ModelSpec, Provider

_FLAT = ("per_request", "multiplier", "batch")


def models(reading: Reading, value: object, providers: Iterable[Provider]) -> dict[str, ModelSpec]:
    """Those of ``[models]``, by the name that callers use."""
    names = [provider.name for provider in providers]
    tables = reading.named(value, "models", TEXT)
    return {name: _model(reading, name, table, names) for name, table in tables.items()}


def _model(reading: Reading, name: str, table: Mapping[str, object], providers: list[str]) -> ModelSpec:
    at = dotted("models", name)
    if "*" in name:
        reading.wrong(
            at, "a model is named in full, and no model's name holds '*'", "Write one section for each model."
        )
    table = _without_split_name(reading, name, table)
    given = reading.section(MODEL, table, at)
    price = given.pop("price", None)
    provider = given.get("provider", "")
    if provider and provider not in providers:
        reading.unknown(provider, providers, f"{at}.provider", "provider")
    return ModelSpec(name=name, price=None if price is None else _price(reading, price, at), **given)


def _without_split_name(reading: Reading, name: str, table: Mapping[str, object]) -> Mapping[str, object]:
    # TOML reads [models.gpt-4.1] as a table "1" within "gpt-4": the commonest slip with names of models.
    known = {field.key for field in MODEL.fields}
    split = [key for key, inner in table.items() if key not in known and isinstance(inner, dict)]
    for key in split:
        reading.wrong(dotted(dotted("models", name), key), "there is no such key", _quoting(f"{name}.{key}"))
    return {key: inner for key, inner in table.items() if key not in split}


def _quoting(name: str) -> str:
    return f"A name that holds a dot needs quotes: [{dotted('models', name)}]."


def _price(reading: Reading, table: Mapping[str, object], at: str) -> Price | None:
    given = reading.section(PRICE, table, f"{at}.price")
    if "input" not in given or "output" not in given:
        return None
    values: dict[str, Any] = {kind: amount if kind in _FLAT else Rate(amount) for kind, amount in given.items()}
    return Price(**values, source="configuration")
