"""One set of SQL files for one server, a cluster, and ClickHouse Cloud.

On a cluster the tables and views of the files lie in `<database>_local` on every server, with replicated engines, and
each shard has all rows of its accounts: a window never leaves its versions, and every view is right by itself. Under
the same names `<database>` has Distributed tables over them: what is written goes by account, what is read is united.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Where a replicated table keeps what its replicas share; servers fill in the macros.
REPLICA_PATH = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
_ENGINE = re.compile(r"\bENGINE\s*=\s*((?:Replacing|Aggregating|Summing)?MergeTree)\b(?:\(([^()]*)\))?")
#: A statement's head, up to the name after which `ON CLUSTER` stands.
_HEAD = re.compile(
    r"(?P<head>(?:CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|MATERIALIZED\s+VIEW|DATABASE|DICTIONARY)|ALTER\s+TABLE"
    r"|DROP\s+(?:TABLE|VIEW)|RENAME\s+TABLE|TRUNCATE\s+TABLE|DELETE\s+FROM)"
    r"\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+))?)",
    re.IGNORECASE,
)
_COPY = re.compile(r"CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\s+\w+\s+AS\s+(?P<source>\w+)\s*\Z", re.IGNORECASE)
_COMMENTS = re.compile(r"\A(?:\s|--[^\n]*\n)*")
_MOVES_ROWS = re.compile(r"INSERT\b", re.IGNORECASE)
#: By whose account a row goes to a shard, the first that a table has; tables without one lie whole on the first shard.
_ACCOUNT_COLUMNS = ("account_id", "header_account")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Its name, and the database that people name in the DSN."""

    name: str
    database: str

    @property
    def local(self) -> str:
        """The database of the tables themselves."""
        return f"{self.database}_local"

    @property
    def clause(self) -> str:
        """Makes every server run a statement."""
        return f"ON CLUSTER `{self.name}`"

    def databases(self) -> list[str]:
        """Statements that make both databases."""
        return [f"CREATE DATABASE IF NOT EXISTS `{name}` {self.clause}" for name in (self.local, self.database)]

    def everywhere(self, statement: str) -> str:
        """A statement of a migration, for every server. Raises ValueError where it has no form."""
        start = _COMMENTS.match(statement)
        body = statement[start.end() if start else 0 :]
        match = _HEAD.match(body)
        if match is None:
            raise ValueError(f"no form for a cluster is known of: {body[:80]}")
        rest = body[match.end() :]
        return f"{match['head']} {self.clause}{_ENGINE.sub(_replicated, rest)}".replace(
            "non_replicated_deduplication_window", "replicated_deduplication_window"
        )

    def facade(self, table: str, columns: list[str]) -> str:
        """The statement that makes the Distributed table of a local table or view, or makes it anew."""
        return (
            f"CREATE OR REPLACE TABLE `{self.database}`.`{table}` {self.clause} AS `{self.local}`.`{table}`"
            f" ENGINE = Distributed('{self.name}', '{self.local}', '{table}', {sharding_key(columns)})"
        )

    def parameterized(self, view: str, parameters: dict[str, str]) -> str:
        """A view with parameters cannot lie under a Distributed table: it is asked on every shard by name."""
        given = ", ".join(f"{name} = {{{name}:{kind}}}" for name, kind in parameters.items())
        asked = f"SELECT * FROM `{self.local}`.`{view}`({given})"  # noqa: S608 - names of ours
        head = f"CREATE OR REPLACE VIEW `{self.database}`.`{view}` {self.clause}"
        return f"{head} AS SELECT * FROM cluster('{self.name}', view({asked}))"  # noqa: S608 - same


def moves_rows(statement: str) -> bool:
    """Whether it reads and writes rows: it then runs once, over the Distributed tables."""
    start = _COMMENTS.match(statement)
    return bool(_MOVES_ROWS.match(statement[start.end() if start else 0 :]))


def written_out(statement: str, earlier: Sequence[str]) -> str:
    """`CREATE TABLE a AS b` with the engine of b, which would bring its own replicas' path along.

    `earlier` are the statements among which b was made.
    """
    copy = _COPY.search(statement)
    if copy is None:
        return statement
    made = re.compile(rf"CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\s+{copy['source']}\s*\(.*?\)\s*(ENGINE\b.*)", re.DOTALL)
    engines = [match[1] for match in map(made.search, earlier) if match]
    return f"{statement.rstrip()}\n{engines[-1]}" if engines else statement


def sharding_key(columns: list[str]) -> str:
    """Where a row goes."""
    for name in _ACCOUNT_COLUMNS:
        if name in columns:
            return f"cityHash64(`{name}`)"
    return "toUInt64(0)"


def _replicated(match: re.Match[str]) -> str:
    arguments = f", {match[2]}" if match[2] else ""
    return f"ENGINE = Replicated{match[1]}({REPLICA_PATH}{arguments})"
