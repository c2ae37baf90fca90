"""Rules by model: the routes of the file, and the one for everything else that always stands last."""

from __future__ import annotations

from typing import Any

from pennyworth.config.kinds import TABLES
from pennyworth.config.problems import shown
from pennyworth.config.reading import Reading
from pennyworth.config.schema_routing import ROUTE, SWITCHES
from pennyworth.outcome import Layer
from pennyworth.plan import Route, Switch

DEFAULT = Route()


def routes(reading: Reading, value: object) -> tuple[Route, ...]:
    """The routes in the order of the file; without a catch-all among them, the default one is added."""
    tables = [] if value is None else reading.read(TABLES, value, "routes") or []
    found = [route for place, table in enumerate(tables) if (route := _route(reading, table, f"routes[{place}]"))]
    _refuse_doubles(reading, found)
    if any("*" in route.models for route in found):
        return tuple(found)
    return (*found, DEFAULT)


def switches(reading: Reading, value: object, at: str) -> dict[Layer, Switch]:
    return reading.section(SWITCHES, reading.table(value, at), at)  # type: ignore[return-value]  # its keys are layers


def _route(reading: Reading, value: object, at: str) -> Route | None:
    if not isinstance(value, dict):
        reading.wrong(at, f"{shown(value)} is not a table", "Write each one under the heading [[routes]].")
        return None
    given: dict[str, Any] = reading.section(ROUTE, value, at)
    if "switches" in given:
        given["switches"] = switches(reading, given["switches"], f"{at}.switches")
    if "name" not in given or "models" not in given:
        return None
    if given["name"] == DEFAULT.name and "*" not in given["models"]:
        problem = f"{DEFAULT.name!r} is the route of whatever no other matches"
        reading.wrong(f"{at}.name", problem, 'Choose another name, or set models = ["*"].')
    return Route(**given)


def _refuse_doubles(reading: Reading, found: list[Route]) -> None:
    names = [route.name for route in found]
    for place, name in enumerate(names):
        if name in names[:place]:
            reading.wrong(
                f"routes[{place}].name", f"{name!r} names an earlier route too", "Give each a name of its own."
            )
