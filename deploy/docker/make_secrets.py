"""Makes the secrets of docker-compose.yml: `make compose-secrets`. What is there already is kept."""
# ruff: noqa: INP001, T201 - a script for machines without our packages; it tells what it did

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: In this folder nobody but its owner can look; the files are for the containers' user, who is another.
FOLDER_MODE, FILE_MODE, ENV_MODE = 0o700, 0o644, 0o600
READER_PASSWORD = "CLICKHOUSE_READER_PASSWORD"  # noqa: S105 - a name
PASSWORDS = ("secret-keys", "clickhouse-password", "reader-password", "grafana-password")


def make(folder: Path, env: Path) -> list[Path]:
    """The files that were made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    values = {name: secrets.token_hex(24) for name in PASSWORDS}
    made = [file for name in PASSWORDS if (file := _write(folder / name, values[name]))]
    password = (folder / "clickhouse-password").read_text(encoding="utf-8").strip()
    if file := _write(folder / "clickhouse-dsn", f"clickhouse://sori:{password}@clickhouse:8123/sori"):
        made.append(file)
    reader = (folder / "reader-password").read_text(encoding="utf-8").strip()
    if file := _write(folder / "reader-dsn", f"clickhouse://sori_api:{reader}@clickhouse:8123/sori"):
        made.append(file)
    _set(env, {READER_PASSWORD: reader, "SORI_SECRETS": str(folder.resolve())})
    return made


def _write(file: Path, text: str) -> Path | None:
    if file.exists():
        return None
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text + "\n")
    file.chmod(FILE_MODE)  # whatever the umask
    return file


def _set(env: Path, values: dict[str, str]) -> None:
    """Put the variables into the file that docker compose reads, and leave the rest of it alone."""
    before = env.read_text(encoding="utf-8").splitlines() if env.exists() else []
    kept = [line for line in before if line.partition("=")[0].strip() not in values]
    env.touch(mode=ENV_MODE)
    env.chmod(ENV_MODE)
    lines = [*kept, *(f"{name}={value}" for name, value in values.items())]
    env.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make what is missing, and say what is left to do."""
    parser = argparse.ArgumentParser(prog="make compose-secrets", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "deploy/docker/secrets", help="where they are kept")
    parser.add_argument("--env", type=Path, default=ROOT / ".env", help="the file that docker compose reads")
    options = parser.parse_args()
    for file in make(options.folder, options.env):
        print(f"made {file}")
    print(f"\nNow put the secret key of the SORI console into {options.folder / 'secret-keys'}.")
    print(f"The webhook port is bound to this machine; to open it, add SORI_BIND=0.0.0.0 to {options.env}.")


if __name__ == "__main__":
    main()
