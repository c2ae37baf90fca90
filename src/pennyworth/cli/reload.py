"""``pennyworth reload``: a running gateway reads its configuration again."""

from __future__ import annotations

from pennyworth.cli.admin_port import AdminUrl, post
from pennyworth.cli.exits import OK
from pennyworth.cli.options import AsJson, ConfigPath
from pennyworth.cli.screen import Screen, print_json
from pennyworth.config.problems import ConfigErrors


def reload(*, admin: AdminUrl = None, config: ConfigPath = None, as_json: AsJson = False) -> int:
    """Have a running gateway read its configuration again.

    It reads the file it was started with, whole. A configuration with an error
    is refused with every reason, and the old one stays in force; a good one
    holds for all requests that come from then on, while running ones keep what
    they began with. Addresses, workers, state_dir and the sizes of the stores
    need a restart. SIGHUP does the same, and says it in the log.

    For example:

        pennyworth reload
        pennyworth reload --config pennyworth.toml --json
        pennyworth reload --admin http://127.0.0.1:8081
    """
    try:
        _, said = post(config, admin, "/api/v1/reload")
    except ConfigErrors:
        Screen().warn("refused, and the old configuration stays in force")
        raise
    if as_json:
        print_json(said)
        return OK
    screen = Screen()
    where = f"{said['confirmed']} of {said['workers']} worker(s)"
    screen.out.print(f"Plan {said['before']} → {said['plan']}, in force in {where}.", markup=False)
    for change in said["changes"]:
        screen.out.print(f"  {change['key']}: {change['what']}", markup=False, soft_wrap=True)
    if not said["changes"]:
        screen.out.print("  Nothing in it is different; a price overlay was read again.", markup=False)
    if said["confirmed"] < said["workers"]:
        screen.warn("the others go by it as soon as they answer again or are restarted")
    return OK
