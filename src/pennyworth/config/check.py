"""What is wrong or odd about a configuration that loads? Looks at the Plan, the environment and the disk, not the network."""

from __future__ import annotations

from collections.abc import Mapping

from pennyworth.config import check_credentials, check_lifetimes, check_reach, check_surroundings
from pennyworth.config.finding import Finding
from pennyworth.plan import Plan

_ORDER: tuple[str, ...] = ("error", "warning", "ok")


def check(plan: Plan, env: Mapping[str, str], path: str | None = None) -> list[Finding]:
    """The findings, the gravest first. ``path`` as given to ``load``: to look for credentials in the file itself."""
    findings = [
        *check_credentials.findings(plan, env, path),
        *check_reach.findings(plan),
        *check_lifetimes.findings(plan),
        *check_surroundings.findings(plan, env),
    ]
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))
