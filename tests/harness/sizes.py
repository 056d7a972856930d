"""How much the tests do: SCALE=full is `make soak`, anything else `make test`."""

from __future__ import annotations

import os

FULL = os.environ.get("SCALE") == "full"
SEED = os.environ.get("SEED", "1")


def size(default: int, full: int) -> int:
    """The number for this scale."""
    return full if FULL else default
