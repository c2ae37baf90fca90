"""The command line: one file a command. ``main.py`` is the entry, ``exits.py`` says how commands end."""
