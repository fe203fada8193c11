"""Where the repository's own files are, for whoever reads them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The contract's own sample bodies.
SAMPLES = ROOT / "tests/samples"
