"""Will every provider and route ever be used, and does every model lead somewhere?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pennyworth.config.addresses import host_and_port, is_loopback
from pennyworth.config.finding import Finding, ok, warning
from pennyworth.config.problems import dotted
from pennyworth.decide import admit, glob
from pennyworth.plan import Plan, Provider, Route


def findings(plan: Plan) -> Iterator[Finding]:
    for provider in plan.providers:
        yield from _address(provider)
    yield from _never_asked(plan)
    yield from _routes(plan.routes)
    yield from _models(plan)
    yield from _fallbacks(plan)


def overlap(one: str, other: str) -> bool:
    """Whether some name matches both patterns. Walks both at once; a star takes what the other pattern holds."""
    seen = {(0, 0)}
    ahead = [(0, 0)]
    while ahead:
        for place in _onward(one, other, *ahead.pop()):
            if place not in seen:
                seen.add(place)
                ahead.append(place)
    return (len(one), len(other)) in seen


def _onward(one: str, other: str, i: int, j: int) -> Iterator[tuple[int, int]]:
    mine, theirs = one[i : i + 1], other[j : j + 1]
    if "*" in (mine, theirs):
        if mine:
            yield i + 1, j
        if theirs:
            yield i, j + 1
    elif mine and mine == theirs:
        yield i + 1, j + 1


def _covered(pattern: str, earlier: Sequence[str]) -> bool:
    # A pattern is matched like a name here: its own * can only fall under a * of the earlier one.
    return glob.any_matches(earlier, pattern)


def _address(provider: Provider) -> Iterator[Finding]:
    key = f"{dotted('providers', provider.name)}.base_url"
    host, _ = host_and_port(provider.base_url)
    if provider.base_url.startswith("http:") and not is_loopback(host):
        message = f"{provider.base_url} is not encrypted: key, questions and answers can be read on the way"
        yield warning(key, message, "Use https, unless the network between is yours alone.")
    if not urlsplit(provider.base_url).path:
        message = f"{provider.base_url} has no path, where nearly every provider has a version"
        yield warning(key, message, f"Try {provider.base_url}/v1.")


def _never_asked(plan: Plan) -> Iterator[Finding]:
    named = {spec.provider for spec in plan.models.values()}
    for place, provider in enumerate(plan.providers):
        earlier = [pattern for other in plan.providers[:place] for pattern in other.models]
        shadowed = [pattern for pattern in provider.models if _covered(pattern, earlier)]
        key = f"{dotted('providers', provider.name)}.models"
        if len(shadowed) == len(provider.models) and provider.name not in named:
            message = f"an earlier provider takes all of {', '.join(shadowed)}; only {provider.name}/MODEL reaches it"
            yield warning(key, message, "Put it first, narrow the earlier patterns, or name it in [models].")
        elif shadowed and len(shadowed) < len(provider.models):
            message = f"an earlier provider takes {', '.join(shadowed)}"
            yield warning(key, message, "Remove what never matches, or put this provider first.")


def _routes(routes: Sequence[Route]) -> Iterator[Finding]:
    for place, route in enumerate(routes):
        earlier = routes[:place]
        key = f"routes[{place}].models"
        shadowed = [name for name in route.models if _covered(name, [model for one in earlier for model in one.models])]
        if shadowed:
            whole = "the route is never used" if len(shadowed) == len(route.models) else "part of it is never used"
            message = f"{whole}: an earlier route takes {', '.join(shadowed)}"
            yield warning(key, message, "Put the narrower route first.")
        else:
            yield from _overlaps(key, route, earlier)


def _overlaps(key: str, route: Route, earlier: Sequence[Route]) -> Iterator[Finding]:
    for other in earlier:
        pairs = [(mine, theirs) for mine in route.models for theirs in other.models if overlap(mine, theirs)]
        odd = [(mine, theirs) for mine, theirs in pairs if not _covered(theirs, [mine])]  # a wider one later is usual
        for mine, theirs in odd[:1]:
            message = f"{mine} and {theirs} of the route {other.name!r} match some of the same models; that route wins"
            yield warning(key, message, "Nothing to do if it is meant so.")


def _models(plan: Plan) -> Iterator[Finding]:
    for name in plan.models if plan.providers else ():
        target = admit.resolve(name, plan)
        if isinstance(target, admit.Refuse):
            if target.code == "model_not_found":
                fix = "Give it a provider, or add a pattern that matches it to one."
                yield warning(dotted("models", name), "no provider is asked for it", fix)
        else:
            yield ok(dotted("models", name), f"is asked of {target.provider.name} as {target.model}")


def _fallbacks(plan: Plan) -> Iterator[Finding]:
    for place, route in enumerate(plan.routes if plan.providers else ()):
        for name in route.fallbacks:
            target = admit.resolve(name, plan)
            if isinstance(target, admit.Refuse):
                message = f"{name!r} is passed over: {target.message.rstrip('.')}"
                yield warning(f"routes[{place}].fallbacks", message, "Until then nobody stands in.")
