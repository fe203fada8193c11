"""The verdicts of the topic as a table: the newest version of each, by account, and how much room is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sori.alerting.verdict import MOST_OF_ACCOUNT, Verdict, decode
from sori.errors import ConfigError, TooManyVerdicts

#: Targets of one account that are judged, and versions of one verdict: whoever writes without end fills no disk.
MOST_TARGETS, MOST_VERSIONS = 20_000, 100


class VerdictIndex:
    """Hand it every record of the topic, in order."""

    def __init__(self) -> None:
        self._by_id: dict[str, Verdict] = {}
        self._by_account: dict[str, dict[str, Verdict]] = {}

    def take(self, key: str, value: bytes | None) -> None:
        """A record; what nobody can read changes nothing."""
        try:
            verdict = None if value is None else decode(value)
        except ConfigError:
            return
        before = self._by_id.pop(key, None)
        if before is not None:
            self._by_account[before.account_id].pop(key, None)
        if verdict is not None:
            self._by_id[key] = verdict
            self._by_account.setdefault(verdict.account_id, {})[key] = verdict

    def get(self, verdict_id: str) -> Verdict | None:
        """The newest version, withdrawn or not."""
        return self._by_id.get(verdict_id)

    def in_force(self, accounts: Iterable[str] | None) -> list[Verdict]:
        """Of these accounts (None: of all), the latest first."""
        wanted = self._by_account if accounts is None else accounts
        found = [one for account in wanted for one in self._by_account.get(account, {}).values() if one.in_force]
        return sorted(found, key=lambda one: (one.made_at, one.verdict_id), reverse=True)

    def check_room(self, verdict: Verdict) -> None:
        """Raise TooManyVerdicts where this one is one too many."""
        account, known = verdict.account_id, self._by_account.get(verdict.account_id, {})
        if len(known.keys() | {verdict.verdict_id}) > MOST_TARGETS:
            raise TooManyVerdicts(f"account {account} has verdicts on {MOST_TARGETS} targets; more are not taken")
        if verdict.version > MOST_VERSIONS:
            raise TooManyVerdicts(f"this target was judged {MOST_VERSIONS} times; more is not taken")
        others = sum(len(one.allows) for key, one in known.items() if key != verdict.verdict_id)
        if verdict.allows and others + len(verdict.allows) > MOST_OF_ACCOUNT:
            raise TooManyVerdicts(
                f"account {account} allows {others} subjects, and may allow {MOST_OF_ACCOUNT}: withdraw verdicts that "
                "are needed no longer, also those whose time is over"
            )
