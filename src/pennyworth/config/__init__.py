"""The operator's decisions: TOML and environment in, one frozen Plan out. An error names the key, its value and the fix."""

from pennyworth.config.changes import Change, changes, needs_restart
from pennyworth.config.check import check
from pennyworth.config.describe import Row, describe
from pennyworth.config.finding import Finding
from pennyworth.config.load import interpret, load, problems, with_sandbox
from pennyworth.config.problems import ConfigErrors
from pennyworth.config.source import Source

__all__ = [
    "Change",
    "ConfigErrors",
    "Finding",
    "Row",
    "Source",
    "changes",
    "check",
    "describe",
    "interpret",
    "load",
    "needs_restart",
    "problems",
    "with_sandbox",
]
