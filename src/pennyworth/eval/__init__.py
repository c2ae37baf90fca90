"""The judged measures: what the shipped code makes of real data, in figures anybody can print again.

``wire``: recorded traffic between SDKs and providers, read, rebuilt, translated, recorded, priced. Each eval prints
``Figure``s, and needs no network, no gateway and no state.
"""
