"""The demo: real questions, a real gateway, a simulated provider, the official SDK, and the two books laid side by side."""
