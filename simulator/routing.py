"""Which deliveries an account receives, and where: SORI's Settings page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from sori.errors import ConfigError

Json = Mapping[str, object]


class Category(StrEnum):
    """What an account can subscribe to."""

    CAMPAIGN = "campaign"
    AUTHENTICATION = "authentication"
    ADMIN = "admin"


#: What a new account is subscribed to.
DEFAULT_CATEGORIES = frozenset({Category.CAMPAIGN, Category.AUTHENTICATION})


def category_of(event: str) -> Category:
    """The category of an event name: the part before its first dot."""
    return Category(event.partition(".")[0])


@dataclass
class Subscriptions:
    """Categories per account. A change counts for every later dispatch, retries included."""

    default: frozenset[Category] = DEFAULT_CATEGORIES
    accounts: dict[str, frozenset[Category]] = field(default_factory=dict)

    def set(self, account_id: str, categories: Iterable[Category]) -> None:
        """Tick exactly these checkboxes."""
        self.accounts[account_id] = frozenset(categories)

    def wants(self, account_id: str, event: str) -> bool:
        """Whether the account receives this event now."""
        return category_of(event) in self.accounts.get(account_id, self.default)


@dataclass(frozen=True)
class Routes:
    """The global webhook URL, and the campaigns' own, which override it."""

    global_url: str
    campaign_urls: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for url in (self.global_url, *self.campaign_urls.values()):
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ConfigError(f"not a webhook URL: {url!r}; give http://host[:port]/path or https://…")

    def url_for(self, body: Json) -> str:
        """Where this event goes."""
        campaign = body.get("campaign")
        campaign_id = campaign.get("id") if isinstance(campaign, Mapping) else None
        return self.campaign_urls.get(str(campaign_id), self.global_url)


def parse_subscriptions(texts: Iterable[str]) -> Subscriptions:
    """Read `campaign,admin` (every account) and `acc_1=campaign` (one account). Raises ConfigError."""
    subscriptions = Subscriptions()
    for text in texts:
        account_id, named, categories = text.rpartition("=")
        try:
            wanted = frozenset(Category(name.strip()) for name in categories.split(",") if name.strip())
        except ValueError as error:
            known = ", ".join(Category)
            raise ConfigError(f"no such event category in {text!r}; there are {known}") from error
        if named:
            subscriptions.set(account_id, wanted)
        else:
            subscriptions.default = wanted
    return subscriptions
