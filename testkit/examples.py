"""How many examples a property test tries: a part in every run, all of them by command.

`SORI_TEST_EXAMPLES=full` is the long form. Examples are random: what one short run leaves out, another tries.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: Whether this is the long form.
FULL = os.environ.get("SORI_TEST_EXAMPLES") == "full"
#: The part of the long form that a short one tries.
_PART = 0.3
#: Below this a property is hardly tried at all.
_LEAST = 20


def how_many(full: int) -> int:
    """Of so many examples of the long form, those of this run."""
    return full if FULL else max(min(full, _LEAST), round(full * _PART))


def examples(full: int) -> settings:
    """The settings of a property test with so many examples; how long one takes is no finding."""
    return settings(max_examples=how_many(full), deadline=None, suppress_health_check=[HealthCheck.too_slow])
