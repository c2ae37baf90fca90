"""``pennyworth serve``: the gateway, until it is told to stop."""

from __future__ import annotations

import functools
import os
from typing import Annotated

from cyclopts import Parameter

from pennyworth.cli.options import ConfigPath
from pennyworth.config import Source, load
from pennyworth.server.run import run


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on; other machines need a client key.")] = None,
    port: Annotated[int | None, Parameter(help="Port for callers; 0 takes a free one.")] = None,
    workers: Annotated[int | None, Parameter(help="Processes that share one cache.")] = None,
    admin_port: Annotated[int | None, Parameter(help="Port for statistics, receipts and purges.")] = None,
    config: ConfigPath = None,
) -> int:
    """Run the gateway.

    With provider keys in the environment or a configuration it asks those
    providers; with none it asks a simulated one and says so. What is given here
    wins over the environment, which wins over the configuration. SIGTERM and
    Ctrl-C let running replies finish; a second one cuts them short. SIGHUP, or
    pennyworth reload, has the configuration read again.

    PENNYWORTH_LOG_LEVEL sets what is logged: debug, info, warning or error.

    For example:

        pennyworth serve
        OPENAI_API_KEY=sk-... pennyworth serve --workers 2
        pennyworth serve --config pennyworth.toml --port 9000
    """
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "ADMIN_PORT": admin_port}
    # By way of the environment, so that an option is checked by the rules that the same key in a file is checked by.
    over = {f"PENNYWORTH_{name}": str(value) for name, value in given.items() if value is not None}
    source = Source({**os.environ, **over}, config)
    return run(load(config, source.env), functools.partial(print, flush=True), source.read)
