"""Contract suites for the ports, and scripted providers: what an adapter of your own is tested with."""
