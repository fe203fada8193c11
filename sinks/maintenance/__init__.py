"""Work on stored data that an operator asks for. Each task is a generator of progress, ended by a result.

A task takes a client that may write, the settings and JSON parameters, so that it runs the same in the process of the
command line and, through the API, in the process that holds an embedded engine.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from sori.settings import Settings

#: {"done", "total", "note"} while it goes on, {"result": {...}} at the end.
Progress = dict[str, Any]
Task = Callable[[Client, Settings, Mapping[str, Any]], Iterator[Progress]]
