"""The gateway of the demo: the real server in a process of its own, with a configuration and a state directory of its own."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pennyworth.errors import PennyworthError

_START_S = 60.0
_STOP_S = 45.0
_PROVIDER_KEY, _CLIENT_KEY = "DEMO_PROVIDER_KEY", "DEMO_CLIENT_KEY"


class GatewayError(PennyworthError):
    """The gateway did not come up, or did not end in order."""


class Gateway:
    """``with Gateway(...) as base_url``. When the block ends it is told to stop, and its books are closed.

    Attributes:
        status: the exit status, once it has ended.
    """

    def __init__(
        self, folder: Path, provider_url: str, provider_key: str, key: str, prices: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._folder = folder
        self._log = folder / "gateway.log"
        self._config = folder / "pennyworth.toml"
        self._config.write_text(configuration(folder / "state", provider_url, prices), encoding="utf-8")
        self._environment = _environment() | {_PROVIDER_KEY: provider_key, _CLIENT_KEY: key}
        self._process: subprocess.Popen[bytes] | None = None
        self.status: int | None = None

    def __enter__(self) -> str:
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [
                    sys.executable,
                    "-m",
                    "pennyworth.demo.tied",
                    "pennyworth.cli",
                    "serve",
                    "--config",
                    str(self._config),
                ],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever runs the demo, who then tells the gateway
            )
        try:
            return self._base_url(self._process)
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _base_url(self, process: subprocess.Popen[bytes]) -> str:
        """Of the line in which it says where it listens."""
        assert process.stdout is not None
        deadline, said = time.monotonic() + _START_S, b""
        while time.monotonic() < deadline and process.poll() is None:
            ready, _, _ = select.select([process.stdout], [], [], 0.2)
            said += os.read(process.stdout.fileno(), 4096) if ready else b""
            if found := re.search(rb"listens on (http://\S+/v1)\s", said):
                return found[1].decode()
        raise GatewayError(f"The gateway did not start. Its log ends: {self._tail() or '(nothing)'}")

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        self.status = process.returncode

    def _tail(self) -> str:
        return " | ".join(self._log.read_text(encoding="utf-8").strip().splitlines()[-3:])


def configuration(state_dir: Path, provider_url: str, prices: Mapping[str, Mapping[str, str]]) -> str:
    """As an operator would write it: one provider, one client key, and a price for each model."""
    parts = [
        f"state_dir = '{state_dir}'",
        "[listen]\nport = 0",
        "[admin]\nport = 0",
        f'[keys.demo]\nenv = "{_CLIENT_KEY}"',
        f'[providers.sandbox]\nbase_url = "{provider_url}"\nkey_env = "{_PROVIDER_KEY}"\nmodels = ["*"]',
    ]
    for model, price in prices.items():
        rates = "\n".join(f'{kind} = "{usd}"' for kind, usd in price.items())
        parts.append(f'[models."{model}".price]\n{rates}')
    return "\n\n".join(parts) + "\n"


def _environment() -> dict[str, str]:
    """Ours, without what would configure another gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PENNYWORTH_")}
