"""Ways to reach providers: adapters of ``ports.Upstream``."""
