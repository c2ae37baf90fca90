"""What docs/lifetimes.md shows is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pennyworth.decide.lifetime import EDGE_CHARS, compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.plan import Lifetime

TEXT = (Path(__file__).parents[2] / "docs" / "lifetimes.md").read_text(encoding="utf-8")
SECONDS = {"min": 60.0, "h": 3600.0, "days": 86400.0}


def seconds(shown: str) -> float:
    number, _, unit = shown.partition(" ")
    return float(number) * SECONDS[unit] if unit in SECONDS else 0.0


def test_the_table_gives_the_shipped_times_in_order_of_precedence() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]+) \| ([^|]+) \|", TEXT, re.MULTILINE)
    shown = [(name, seconds(first), seconds(most)) for name, first, most in rows]
    assert shown == [(lifetime.name, lifetime.ttl_s, lifetime.max_s) for lifetime in DEFAULT_LIFETIMES]


def test_the_patterns_of_the_example_compile() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    for name, table in tomllib.loads(example)["lifetimes"].items():
        patterns = table.get("patterns", []) + table.get("more_patterns", ["x"])
        mine = Lifetime(
            name=name, ttl_s=1.0, max_s=1.0, patterns=tuple(patterns), ignore=tuple(table.get("more_ignore", ()))
        )
        assert compile_rules([mine], name).default == mine


def test_so_much_of_a_long_question_is_read_as_it_says() -> None:
    assert f"first and last {EDGE_CHARS} characters" in TEXT
