"""Commands that run a stage look first at the packages whose private parts it uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from runtime.private_parts import require_private_parts


def checked(run: Callable[..., None]) -> Callable[..., None]:
    """The same command after that look: `--help` works whatever is installed. The command raises PrerequisiteError."""

    @wraps(run)
    def command(*args: object, **options: object) -> None:
        require_private_parts()
        run(*args, **options)

    return command
