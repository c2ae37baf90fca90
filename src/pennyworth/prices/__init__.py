"""Price books: the published one (``genai``) and the operator's own (``overlay``). Nothing here touches the network."""
