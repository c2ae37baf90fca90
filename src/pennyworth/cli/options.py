"""Options that several commands share, with the same name, meaning and help in each."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pennyworth.cli.exits import CommandError, wrong_usage
from pennyworth.config import load
from pennyworth.config.amounts import POSITIVE_DURATION
from pennyworth.config.problems import UnusableError
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan

ConfigPath = Annotated[
    str | None,
    Parameter(
        name=["--config", "-c"], help="The TOML configuration; else PENNYWORTH_CONFIG names it, else there is none."
    ),
]
StateDir = Annotated[
    str | None,
    Parameter(name="--state-dir", help="The state directory to look into; else the configuration's, else .pennyworth."),
]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False, help="Print JSON, for programs.")]
Window = Annotated[str, Parameter(help='How far back to look: "1h", "24h", "7d", or "all".')]


def plan_from(config: str | None) -> Plan:
    """The Plan of a configuration and the environment. Raises ``ConfigError``."""
    return load(config, os.environ)


def plan_at(config: str | None, state_dir: str | None) -> Plan:
    """The Plan of a command that only works on a state directory. Named by itself, that needs no configuration."""
    if state_dir and not config:
        return Plan(providers=(), state_dir=state_dir)
    try:
        plan = plan_from(config)
    except ConfigError as error:
        fix = "The books can be read without the configuration: add --state-dir DIR."
        raise CommandError(str(error), fix, code=2) from error
    return msgspec.structs.replace(plan, state_dir=state_dir) if state_dir else plan


def same_books(config: str | None, state_dir: str | None) -> str:
    """The options by which another command finds the same books, to be put behind it."""
    return (f" --config {config}" if config else "") + (f" --state-dir {state_dir}" if state_dir else "")


def since_of(window: str, now_s: float) -> float:
    """When a window began, in Unix seconds; 0 for everything."""
    if window == "all":
        return 0.0
    try:
        return now_s - float(POSITIVE_DURATION.read(window))
    except UnusableError as error:
        raise wrong_usage(
            f"--window: {error.problem}.", 'Use "all", or how far back to look, such as 1h, 24h or 7d.'
        ) from error
