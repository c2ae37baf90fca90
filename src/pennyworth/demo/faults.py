"""What goes wrong at the simulated provider, at which rate. Each call draws anew, by the seed and what is asked."""

from __future__ import annotations

from pennyworth.sandbox import Rule

RULES = (
    Rule(kind="status", status=429, probability=0.010),
    Rule(kind="status", status=500, probability=0.010),
    Rule(kind="status", status=503, probability=0.010),
    Rule(kind="reset", probability=0.010),
    Rule(kind="cut", stream=True, probability=0.020, after=6),
    Rule(kind="body_cut", stream=False, probability=0.010),
    Rule(kind="length", probability=0.005),
)

RATES = (
    "of calls to the provider: 1 % each of 429, 500 and 503, 1 % connections reset, 2 % of streams and 1 % of other "
    "replies broken off, 0.5 % cut at their length limit"
)
