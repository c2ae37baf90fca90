"""Streams from one dialect to another: a reader for each, a writer for each, and pieces that belong to none between."""

from pennyworth.wire.streams.translator import StreamTranslator

__all__ = ["StreamTranslator"]
