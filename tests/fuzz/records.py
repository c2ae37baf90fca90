"""Trials of what we wrote ourselves and read back: rows of the store, lines of the journal, the configuration.

A changed row is not there; a changed line is a record or damage; a changed configuration is a Plan or an error in words.
"""

from __future__ import annotations

import random
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from pennyworth.config import interpret
from pennyworth.errors import ConfigError
from pennyworth.ledgers.lines import DamagedLineError, from_line, from_lines, to_line
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Intent, Receipt
from pennyworth.request import Key
from pennyworth.stores.seal import Seal
from pennyworth.testing.entries import kept
from tests.fuzz.law import BrokenLawError, Case, Trial, mutated

_SEAL = Seal(b"secret")
_BINARY = (
    b"\0",
    b"\xff",
    b"\xc0",
    b"\xc1",
    b"\x90",
    b"\x80",
    b"\xdf\xff\xff\xff\xff",
    b"\xcb" + b"\x7f\xf8" + b"\0" * 6,
    b"\xa1a",
    b"\xc4\x01a",
)
_ROWS = _SEAL.close([kept("a"), kept("b", tags=("x", "y"), client="c"), kept("c", size=3, expires_s=float("inf"))])
_FIELDS = 5


def _row(chance: random.Random) -> Case:
    """A row with one of its values changed. The last part says which; its own seal may be put on it again."""
    row = chance.choice(_ROWS)
    values = [bytes(row.key), row.head, row.mac, row.answer.scope.encode(), row.body]
    at = chance.randrange(_FIELDS)
    values[at] = mutated(chance, values[at], _BINARY)
    resealed = chance.random() < 0.5
    if resealed:
        values[2] = _SEAL._mac(Key(values[0]), values[1], values[4])
    return (*values, b"resealed" if resealed else b"")


def _opened(case: Case) -> str:
    """One that is not as it was written is not there. One sealed by us, whatever it holds, is an answer or not there."""
    key, head, mac, scope, body, resealed = case
    found = _SEAL.open(Key(key), head, mac, scope, body)
    if found is None:
        return "not there"
    if found.answer.scope.encode() != scope:
        raise BrokenLawError("somebody else's answer", scope)
    if not resealed and not any((key, head, mac, body) == (row.key, row.head, row.mac, row.body) for row in _ROWS):
        raise BrokenLawError("a changed row was read", *case)
    return "there"


_RECORDS: tuple[Intent | Receipt, ...] = (
    Intent(id="i1", at_s=1.0, scope="s", model="m", target="p/m", estimate=Money(5)),
    Receipt(
        id="r1", at_s=1_795_348_800.5, scope="s", model="m", served="upstream", ending="complete", status=200, target="p/m",
        usage=Usage(input=5, output=7, cached=2), spent=Money(12), would_have_cost=Money(20), saved={"exact": Money(8)},
        attempts=(AttemptNote(target="p/m", status=200, ending="complete"),), notes=("a note",), tags=("t",),
    ),
)  # fmt: skip
_JSON_BITS = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"-1", b"9" * 60, b"1e999", b"\xff", b"\\ud800", b"\n", b"[" * 2000, b'"type":"intent",',
    b'"type":"receipt",', b'"id":"x",', b'"spent":{"pico":1},', b'"at_s":-1,', b'"at_s":null,', b'"usage":{"input":-5},', b"\xe2\x80\xa8", b"\0",
)  # fmt: skip


def _line(chance: random.Random) -> Case:
    return (mutated(chance, to_line(chance.choice(_RECORDS)), _JSON_BITS),)


def _booked(case: Case) -> str:
    """A record that can be written again as it is, or damage; and the quick reading of a whole file agrees."""
    (line,) = case
    text = b"\n".join([to_line(_RECORDS[0]), line, to_line(_RECORDS[1])])
    booked, damaged = from_lines(text)
    lines = [one for one in text.split(b"\n") if one]
    if len(booked) + damaged != len(lines):
        raise BrokenLawError("a line was lost", line)
    try:
        record = from_line(line)
    except DamagedLineError:
        return "damaged"
    if from_line(to_line(record)) != record:
        raise BrokenLawError("written again it is another", line)
    return "a record"


_EXAMPLE = (Path(__file__).parents[2] / "docs" / "examples" / "pennyworth.toml").read_bytes()
_TOMLS = (
    _EXAMPLE,
    b'[providers.openai]\nkey = "k"\n[routes.x]\nmodels = ["gpt-*"]\nttl = "1h"\n[lifetimes.static]\nttl = "30d"\n[keys.a]\nkey = "0123456789abcdef0"\n',
    b'[listen]\nport = 0\nworkers = 2\n[limits]\ndrain = "5s"\n[models."m"]\nprovider = "openai"\nprice = { input = 1.5, output = 2 }\n',
)
_TOML_BITS = (
    b"\n", b"=", b"[", b"]", b"[[x]]\n", b'"', b"'", b"#", b"-1", b"0", b"1e400", b"9" * 30, b"true", b"nan", b"inf", b"1979-05-27", b"{a=1}", b"[1,2]",
    b'"1h"', b'"-5s"', b'"10MB"', b'""', b"\xff", b"\\u0000", b"[providers.x]\n", b"[limits]\n", b"key", b"models", b"(", b"(a+)+$", b"\\", b"[" * 500,
)  # fmt: skip


def _toml(chance: random.Random) -> Case:
    return (mutated(chance, chance.choice(_TOMLS), _TOML_BITS),)


def _configured(case: Case) -> str:
    """A Plan, or errors that each name a key and a way out."""
    (text,) = case
    try:
        data: dict[str, Any] = tomllib.loads(text.decode(), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return "no TOML"
    try:
        plan = interpret(data, {})
    except ConfigError as error:
        if not str(error).strip():
            raise BrokenLawError("refused without a word", text) from None
        return "refused"
    msgspec.json.encode(plan.limits)
    return "a plan"


STORE_ROW = Trial(_row, _opened)
JOURNAL_LINE = Trial(_line, _booked)
CONFIGURATION = Trial(_toml, _configured)
