"""A few rows of recorded traffic of each dialect, for ``pennyworth eval wire`` where there is no other data.

They are from the test suites of open-source projects; ATTRIBUTION.md names them and their licences.
"""

from pathlib import Path

SAMPLE = Path(__file__).parent
