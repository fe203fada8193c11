"""`make rehearse`: docker-compose.yml and deploy/k8s as real, closed processes with traffic, and the truth compared.

python -m testkit.rehearsal [compose] [k8s] [--seconds 30] [--keep]

Exit code: 0 when everything held, 1 when something did not, 2 when it cannot run here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from testkit.rehearsal import isolation
from testkit.rehearsal.fleet import RehearsalFailed
from testkit.rehearsal.image import build_layers, layers_of
from testkit.rehearsal.rehearse import HOSTS, rehearse_compose, rehearse_kubernetes

_REHEARSALS = {"compose": rehearse_compose, "k8s": rehearse_kubernetes}


def main() -> int:
    """Outside: build, then enter a network of our own. Inside: rehearse."""
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=[], help=f"which: {', '.join(_REHEARSALS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=30.0, help="traffic, seconds")
    parser.add_argument("--keep", action="store_true", help="keep the folder with data and logs")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of the process outside
    options = parser.parse_args()
    names = options.what or list(_REHEARSALS)
    if unknown := set(names) - set(_REHEARSALS):
        parser.error(f"no such rehearsal: {', '.join(sorted(unknown))}; there are {', '.join(_REHEARSALS)}")
    if isolation.is_inside():
        return asyncio.run(_inside(names, options.folder, options.seconds))
    if reason := isolation.why_not():
        print(f"cannot rehearse here: {reason}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="sori-rehearsal-"))
    print("building the wheel", flush=True)
    build_layers(folder)
    (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *HOSTS)))
    arguments = [*names, "--folder", str(folder), "--seconds", str(options.seconds)]
    code = isolation.enter([sys.executable, "-m", "testkit.rehearsal", *arguments], folder / "hosts")
    if code or options.keep:
        print(f"data and logs are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


async def _inside(names: list[str], folder: Path, seconds: float) -> int:
    failed = 0
    for name in names:
        print(f"{name}: starting", flush=True)
        own = folder / name
        own.mkdir()
        try:
            outcome = await _REHEARSALS[name](own, layers_of(folder), seconds)
        except (RehearsalFailed, AssertionError) as error:
            print(f"{name}: FAILED: {error}", flush=True)
            failed = 1
            continue
        for note in outcome.notes:
            print(f"{name}: {note}")
        print(f"{name}: {json.dumps(outcome.verdict.report())}", flush=True)
        for miss in outcome.verdict.misses:
            print(f"{name}: MISS: {miss}", flush=True)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
