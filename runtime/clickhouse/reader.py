"""The user that only reads, on a server: made from the same file that a server of ours mounts, users.d/reader.xml."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from runtime.clickhouse.client import Dsn, open_client, plain_message
from sori.errors import ConfigError
from sori.package_files import shipped

DEFINITION = shipped("deploy", "clickhouse", "users.d", "reader.xml")
#: Name of the profile and of the quota that are made; not that of the file, which may be mounted as well.
_NAME = "sori_reader"
_NOT_ALLOWED, _NO_STORAGE, _NOT_IMPLEMENTED = 497, 514, 48
_log = structlog.get_logger(__name__)


def ensure_reader(writer: Client, reader: Dsn, cluster: str = "") -> bool:
    """Make the reader's user with `writer`, unless it is there; again, it changes nothing. Returns whether it was made.

    Raises ConfigError when it is there and may write, or when `writer` may not make users.
    """
    if not reader.embedded and not _connects(reader):
        for statement in statements(reader, cluster=cluster):
            _run(writer, statement, reader)
        _log.info("reader_made", user=reader.user, database=reader.database)
        return True
    return False


def statements(reader: Dsn, definition: Path = DEFINITION, cluster: str = "") -> list[str]:
    """SQL that makes the profile, the quota and the user, and grants it the database. Each may run again.

    On a cluster it does so on every server, and grants the tables under the Distributed ones too.
    """
    root = ET.parse(definition).getroot()  # noqa: S314 - a file of ours
    user, database = _quoted(reader.user), _quoted(reader.database)
    proof = hashlib.sha256(reader.password.encode()).hexdigest()
    identified = f"IDENTIFIED WITH sha256_hash BY '{proof}' SETTINGS PROFILE '{_NAME}'"
    on = f"ON CLUSTER `{cluster}` " if cluster else ""
    local = [f"GRANT {on}SELECT ON {_quoted(reader.database + '_local')}.* TO {user}"] if cluster else []
    return [
        f"CREATE SETTINGS PROFILE OR REPLACE {_NAME} {on}SETTINGS {', '.join(_settings(root))}",
        f"CREATE USER IF NOT EXISTS {user} {on}{identified}",
        f"ALTER USER {user} {on}{identified}",
        f"CREATE QUOTA OR REPLACE {_NAME} {on}KEYED BY user_name {_quota(root)} TO {user}",
        f"REVOKE {on}ALL ON *.* FROM {user}",
        f"GRANT {on}SELECT ON {database}.* TO {user}",
        *local,
    ]


def _settings(root: ET.Element) -> list[str]:
    profile = root.find("profiles/reader")
    constraints = root.find("profiles/reader/constraints")
    if profile is None or constraints is None:
        raise ConfigError(f"{DEFINITION} has no profile of a reader")
    values = {each.tag: str(each.text) for each in profile if each.tag != "constraints"}
    limits = {each.tag: _constraint(each) for each in constraints}
    return [
        name + (f" = {values[name]}" if name in values else "") + limits.get(name, "")
        for name in dict.fromkeys([*values, *limits])
    ]


def _constraint(limit: ET.Element) -> str:
    bounds = "".join(f" {tag.upper()} {limit.findtext(tag)}" for tag in ("min", "max") if limit.find(tag) is not None)
    return bounds + (" CHANGEABLE_IN_READONLY" if limit.find("changeable_in_readonly") is not None else "")


def _quota(root: ET.Element) -> str:
    interval = root.find("quotas/reader/interval")
    if interval is None:
        raise ConfigError(f"{DEFINITION} has no quota of a reader")
    most = ", ".join(f"{each.tag} = {each.text}" for each in interval if each.tag != "duration")
    return f"FOR INTERVAL {interval.findtext('duration')} SECOND MAX {most}"


def _connects(reader: Dsn) -> bool:
    try:
        client = open_client(reader)
    except ConfigError:
        return False
    with client:
        if str(client.command("SELECT getSetting('readonly')")) == "0":
            raise ConfigError(
                f"api.clickhouse_dsn: the user {reader.user} may write; name one that is not there yet, and"
                " `sori schema apply` makes it, or give that user the profile of deploy/clickhouse/users.d/reader.xml"
            )
    return True


def _run(writer: Client, statement: str, reader: Dsn) -> None:
    try:
        writer.command(statement)
    except DatabaseError as error:
        if error.code not in (_NOT_ALLOWED, _NO_STORAGE, _NOT_IMPLEMENTED):
            raise
        raise ConfigError(
            f"api.clickhouse_dsn: the user {reader.user} cannot be made: {plain_message(error)}. Let the user of"
            " clickhouse.dsn manage access (access_management), or mount deploy/clickhouse/users.d/reader.xml"
        ) from error
    except ClickHouseError as error:
        raise ConfigError(f"api.clickhouse_dsn: {plain_message(error)}") from error


def _quoted(name: str) -> str:
    if "`" in name or "\\" in name:
        raise ConfigError(f"not a name: {name}")
    return f"`{name}`"
