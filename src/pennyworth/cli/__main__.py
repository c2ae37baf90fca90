"""``python -m pennyworth.cli`` is ``pennyworth``."""

from pennyworth.cli.main import main

if __name__ == "__main__":
    main()
