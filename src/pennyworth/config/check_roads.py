"""Can the certificates on the way be used, and is there a price for what a preset is asked?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from pennyworth.config.finding import Finding, error, ok, warning
from pennyworth.config.presets import preset_named
from pennyworth.config.problems import dotted
from pennyworth.plan import Plan, Provider, Road
from pennyworth.upstreams import tls
from pennyworth.upstreams.road import CertificateFileError


def findings(plan: Plan) -> Iterator[Finding]:
    for provider in plan.providers:
        at = dotted("providers", provider.name)
        yield from _certificates(at, provider.road)
        yield from _prices(at, provider, plan)


def _certificates(at: str, road: Road) -> Iterator[Finding]:
    if not (road.ca_file or road.client_cert):
        return
    try:
        tls.context(road)
    except CertificateFileError as refusal:
        fix = "Name a PEM file that this user can read; see docs/providers.md."
        yield error(f"{at}.{refusal.key}", f"{refusal.name} {refusal.why}", fix)
        return
    if road.client_cert:
        yield _secrecy(at, road)


def _secrecy(at: str, road: Road) -> Finding:
    name = road.client_key or road.client_cert
    mode = stat.S_IMODE(os.stat(name).st_mode)
    if mode & 0o077:
        message = f"{name} holds a key, and its mode {mode:04o} lets other users of this machine at it"
        return warning(f"{at}.{'client_key' if road.client_key else 'client_cert'}", message, f"Run: chmod 600 {name}")
    return ok(f"{at}.client_cert", f"{road.client_cert} and its key are shown to the provider")


def _prices(at: str, provider: Provider, plan: Plan) -> Iterator[Finding]:
    preset = preset_named(provider.preset)
    if preset is None or preset.published or provider.price_provider != preset.price_provider or plan.prices.overlay:
        return
    if any(spec.price for spec in plan.models.values() if spec.provider == provider.name):
        return
    if preset.keyless:
        message = "a server of your own has no published price: its requests are forwarded and counted as unpriced"
        yield warning(f"{at}.price_provider", message, _OWN)
    else:
        message = "the price book has no published price for it: its requests are counted as unpriced"
        yield warning(f"{at}.price_provider", message, "Copy its price list into an overlay (docs/prices.md).")


_OWN = (
    'Give an overlay with gpu_hour_usd and the measured throughput, or input = "0" and output = "0" (docs/prices.md).'
)
