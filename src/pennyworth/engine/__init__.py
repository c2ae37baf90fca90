"""The only code that waits on ports. ``engine.py`` is the path of a request, top to bottom."""
