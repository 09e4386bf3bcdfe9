"""The training loop and what it stands on; it never names a method."""
