"""Prints the reference of the configuration from the code that reads it: ``python -m pennyworth.config.reference``.

``docs/configuration.md`` holds the output between two marks; ``--write FILE`` puts it there, and a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pennyworth.config.amounts import show_duration
from pennyworth.config.doors import ENVIRONMENT_KEY
from pennyworth.config.load import PATH_VARIABLE
from pennyworth.config.presets import PRESETS
from pennyworth.config.reading import Field, Section
from pennyworth.config.schema import SECTIONS
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.plan import Quirks

BEGIN = "<!-- reference: begin, made by python -m pennyworth.config.reference -->"
END = "<!-- reference: end -->"


def reference() -> str:
    """The tables of all sections, variables, presets and shipped lifetimes, in Markdown."""
    parts = [*(_section(section) for section in SECTIONS), _variables(), _presets(), _lifetimes()]
    return "\n".join(parts)


def refreshed(document: str) -> str:
    """The document with its reference made anew between the marks."""
    before, rest = document.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _section(section: Section) -> str:
    title = f"`{section.heading}`" if section.heading else "The top of the file"
    rows = [[f"`{field.key}`", field.kind.words, _default(section, field), _meaning(field)] for field in section.fields]
    return f"### {title}\n\n{section.meaning}\n\n" + _table(["key", "type", "default", "meaning"], rows)


def _default(section: Section, field: Field) -> str:
    if field.required:
        return "required"
    if field.default:
        return field.default
    return _shown(field, _nouns_default(section.noun, field.attr or field.key)) or "none"


def _nouns_default(noun: type[msgspec.Struct], attr: str) -> Any:
    found = next(field for field in msgspec.structs.fields(noun) if field.name == attr)
    return found.default if found.default is not msgspec.NODEFAULT else found.default_factory()


def _shown(field: Field, value: object) -> str:
    text = field.kind.show(value)
    return f"`{text}`" if text and text != "none" else text


def _meaning(field: Field) -> str:
    return f"{field.meaning} (`{field.env}`)" if field.env else field.meaning


def _variables() -> str:
    rows = [[f"`{PATH_VARIABLE}`", "the configuration file, where no path is given on the command line"]]
    for section in SECTIONS:
        at = section.heading.strip("[]")
        keys = [(field.env, f"{at}.{field.key}".lstrip(".")) for field in section.fields if field.env]
        rows += [[f"`{env}`", f"wins over `{key}`"] for env, key in keys]
    rows.append([f"`{ENVIRONMENT_KEY}`", "a client key of the scope `default`, besides those of `[keys]`"])
    return "### Environment variables\n\nAn empty one counts as unset.\n\n" + _table(["variable", "meaning"], rows)


def _presets() -> str:
    rows = [
        [
            f"`{preset.name}`",
            f"`{preset.key_env}`" + (", if it wants one" if preset.keyless else ""),
            f"`{preset.auth}`",
            f"`{preset.base_url}`" if preset.base_url else f"`{preset.url_env}` + `{preset.url_suffix}`",
            ", ".join(f"`{model}`" for model in preset.models),
            _quirks(preset.quirks),
            f"`{preset.price_provider}`" + ("" if preset.published else ", of an overlay"),
        ]
        for preset in PRESETS
    ]
    head = ["name", "key", "auth", "base URL", "models", "quirks", "price book"]
    return "### Presets\n\nWhat each is like: [providers.md](providers.md).\n\n" + _table(head, rows)


def _quirks(quirks: Quirks) -> str:
    told = [f"`cap_field` `{quirks.cap_field}`"] if quirks.cap_field else []
    told += [f"`leave_out` {', '.join(f'`{field}`' for field in quirks.leave_out)}"] if quirks.leave_out else []
    return "; ".join(told) or "none"


def _lifetimes() -> str:
    rows = [
        [
            f"`{lifetime.name}`",
            show_duration(lifetime.ttl_s) if lifetime.ttl_s else "never kept",
            show_duration(lifetime.max_s) if lifetime.max_s > lifetime.ttl_s else "earns nothing",
        ]
        for lifetime in DEFAULT_LIFETIMES
    ]
    head = "### Shipped lifetimes\n\nIn the order in which they are tried.\n\n"
    return head + _table(["name", "ttl", "max"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(_lines([head, ["---"] * len(head), *rows]))


def _lines(rows: list[list[str]]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--write", name]:
            path = Path(name)
            path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
        case _:
            print(reference())
