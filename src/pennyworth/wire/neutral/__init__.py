"""What requests and replies say, whatever dialect they say it in: the nouns between dialects.

``nouns``: a prompt. ``replies``: a completion. ``meaning``: when two of them say the same. A dialect reads its bodies into
these and writes them from these (``wire.chat.neutral`` and its siblings); how a dialect is added is told in
docs/dialects.md.
"""
