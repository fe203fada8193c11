"""Authentication audit: logins that SORI reported beside the customer's own session records."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.builder.parts import FULL, Sql, chosen, lines, new, number, rows, variable

_AT = "coalesce(login_at, own_at)"
#: The range and an hour around it, as `sori audit` reads: a login and its record may lie on both sides of its ends.
_AUDIT = (
    "auth_audit_between(tolerance = 300, since = toUnixTimestamp($__fromTime) - 3600,"
    " until = toUnixTimestamp($__toTime) + 3601, accounts = [])"
)
_IN_RANGE = f"$__timeFilter({_AT})"
_WHERE = f"{_IN_RANGE} AND {chosen('account_id', 'account')}"


def audit() -> Dashboard:
    """The dashboard of whoever answers for logins."""
    made = new(
        "sori-authentication",
        "Device authentications as SORI saw them beside your own session records (sori audit, sori import).",
        variable("account", "Account", f"SELECT DISTINCT account_id FROM {_AUDIT} WHERE {_IN_RANGE} ORDER BY 1"),
        since="now-24h",
    )
    classes = {
        "matched": "Logins that both sides know and agree on.",
        "mismatched": "The same session, but device, account or time differ.",
        "only_in_sori": "SORI reported a login that your records do not have.",
        "only_in_own": "Your records have a login that SORI did not report.",
    }
    for name, description in classes.items():
        sql = f"SELECT count() FROM {_AUDIT} WHERE class = '{name}' AND {_WHERE}"
        made = made.with_panel(number(name.replace("_", " ").capitalize(), description, "short", sql))
    made = made.with_panel(
        lines(
            "Logins by class", "Per interval of the chart.", "short",
            Sql(f"SELECT $__timeInterval({_AT}) AS time, class, count() AS logins FROM {_AUDIT} WHERE {_WHERE}"
                " GROUP BY time, class ORDER BY time", series=True), width=FULL,
        )
    )  # fmt: skip
    return made.with_panel(
        rows(
            "Differences", "Everything that is not a match, latest first.", "short",
            f"SELECT {_AT} AS at, class, account_id, device_id, session, differs, own_account, own_device"
            f" FROM {_AUDIT} WHERE class != 'matched' AND {_WHERE} ORDER BY at DESC LIMIT 500", width=FULL,
        )
    )  # fmt: skip
