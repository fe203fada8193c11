"""What the command lines of benches share: `--json FILE`, and a folder for data that is gone afterwards."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path


def command_line(prog: str, doc: str) -> argparse.ArgumentParser:
    """A parser whose help is the module's docstring, as it is laid out there."""
    parser = argparse.ArgumentParser(prog=prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def write_figures(path: Path | None, figures: object) -> None:
    """What `--json` asked for, if it did."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def scratch_folder(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that disappears at the end, even where a killed process still writes into it."""
    return tempfile.TemporaryDirectory(prefix=f"sori-{name}-", ignore_cleanup_errors=True)
