"""The HTTP doors: the public one callers use, and the admin one operators use."""
