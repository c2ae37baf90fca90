"""Bytes to nouns and back. Nothing here waits, reads a clock or decides."""
