"""Where a configuration comes from, to be read again: a file, and the environment the process was started with."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pennyworth.config.check import check
from pennyworth.config.load import load
from pennyworth.config.problems import ConfigErrors
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan


class Source(msgspec.Struct, frozen=True):
    """``path`` and ``env`` as for ``load``."""

    env: Mapping[str, str]
    path: str | None = None

    def read(self) -> Plan:
        """The Plan, looked over as a whole.

        Raises:
            ConfigErrors: every reason for which it would be refused or would not work.
        """
        try:
            plan = load(self.path, self.env)
        except ConfigErrors:
            raise
        except ConfigError as error:
            raise ConfigErrors([error]) from error
        wrong = [each for each in check(plan, self.env, self.path) if each.severity == "error"]
        if wrong:
            raise ConfigErrors([ConfigError(each.key, each.message, each.fix) for each in wrong])
        return plan
