"""What holds for all tests: no property fails because the machine is slow. Speed is measured by benchmarks, not here."""

from hypothesis import settings

settings.register_profile("pennyworth", deadline=None)
settings.load_profile("pennyworth")
