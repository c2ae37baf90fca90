"""What is wrong or odd about a configuration that loads? Looks at the Plan, the environment and the disk, not the network."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.config.check_credentials import findings as of_credentials
from pennyworth.config.check_lifetimes import findings as of_lifetimes
from pennyworth.config.check_reach import findings as of_reach
from pennyworth.config.check_roads import findings as of_roads
from pennyworth.config.check_surroundings import findings as of_surroundings
from pennyworth.config.finding import Finding
from pennyworth.plan import Plan

_ORDER: tuple[str, ...] = ("error", "warning", "ok")


def check(plan: Plan, env: Mapping[str, str], path: str | None = None) -> list[Finding]:
    """The findings, the gravest first. ``path`` as given to ``load``: to look for credentials in the file itself."""
    findings = [
        *of_credentials(plan, env, path),
        *of_reach(plan),
        *of_roads(plan),
        *of_lifetimes(plan),
        *of_surroundings(plan, env),
    ]
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
