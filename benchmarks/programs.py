"""The programs of a measurement as processes: the constant upstream, the floor, the gateway, the callers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks.load import CLIENT_KEY, Job, Result
from benchmarks.open_loop import Course, Met

_HERE = Path(__file__).parents[1]
_GATEWAY = Path(sys.executable).with_name("pennyworth")


class Served(msgspec.Struct, frozen=True):
    """A program that listens."""

    pid: int
    port: int


class Callers:
    """The process that asks. One job at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, job: Job) -> Result:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Result)


class Paced:
    """The process whose callers come at a given rate. One course at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, course: Course) -> list[Met]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(course) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=list[Met])


class Bench:
    """Starts programs and ends them with the ``with`` block; their files go into ``folder``, which then goes too."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.folder = folder
        self._opened = opened
        self._upstream: Served | None = None

    @property
    def upstream(self) -> Served:
        if self._upstream is None:
            self._upstream = self.listening(sys.executable, "-m", "benchmarks.upstream")
        return self._upstream

    def given(self) -> int:
        """How many completions the upstream has given."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.upstream.port}/count") as reply:
            return int(reply.read())

    def callers(self) -> Callers:
        return Callers(self.start(sys.executable, "-m", "benchmarks.load"))

    def paced(self) -> Paced:
        return Paced(self.start(sys.executable, "-m", "benchmarks.open_loop"))

    def floor(self, kind: str) -> Served:
        """``hit`` or ``pass``."""
        return self.listening(sys.executable, "-m", "benchmarks.floor", kind, str(self.upstream.port))

    def config(
        self,
        state: Path,
        *,
        provider: int = 0,
        workers: int = 1,
        admin: int = 0,
        its: str = "",
        more: str = "",
        limits: str = "",
        **cache: int,
    ) -> Path:
        """A gateway's configuration, with everything on and this much cache.

        Args:
            provider: the port of another provider than the constant one. ``its``: lines of TOML in that provider's
                table. ``limits``: in the table of its one key. ``more``: tables of TOML.
        """
        path = state.with_name(f"{state.name}-{len(list(state.parent.glob('*.toml')))}.toml")
        values = {"port": provider or self.upstream.port, "workers": workers, "admin": admin, "its": its}
        values |= {"limits": limits, "more": more}
        path.write_text(_CONFIG.format(state=state, key=CLIENT_KEY, cache=_table(cache), **values))
        return path

    @contextmanager
    def gateway(self, config: Path) -> Iterator[Served]:
        """The gateway as people start it, one worker; ended, drained, with the block."""
        with ExitStack() as opened:
            process = _start(opened, str(_GATEWAY), "serve", "--config", str(config))
            yield Served(process.pid, _port_in(_first_line(process)))

    def listening(self, *command: str) -> Served:
        """A program of ours that prints its port."""
        process = self.start(*command)
        return Served(process.pid, int(_first_line(process)))

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        return _start(self._opened, *command)


@contextmanager
def bench() -> Iterator[Bench]:
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="pennyworth-bench-"))
        yield Bench(Path(folder), opened)


_CONFIG = """\
state_dir = "{state}"

[listen]
port = 0
workers = {workers}

[admin]
port = {admin}

[keys.bench]
key = "{key}"
{limits}

[providers.constant]
base_url = "http://127.0.0.1:{port}/v1"
price_provider = "openai"
{its}

[log]
level = "warning"

[cache]
{cache}

{more}
"""


def _table(values: dict[str, int]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in values.items())


def _start(opened: ExitStack, *command: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, cwd=_HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    opened.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=60)
    finally:
        process.kill()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line:
        sys.exit(f"{' '.join(map(str, process.args))} did not start")  # type: ignore[arg-type]  # always a sequence here
    return line


def _port_in(line: str) -> int:
    """``… listens on http://127.0.0.1:8080/v1 (…``."""
    return int(line.partition("http://127.0.0.1:")[2].partition("/")[0])
