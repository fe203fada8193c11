"""Every exception of the pipeline.

SoriError
├── ConfigError               a setting is wrong or a settings file cannot be read
├── PrerequisiteError         Java, Maven or a port is missing; carries the remedy
├── SignatureError            the sender is not who it says (HTTP 401)
│   ├── MissingSignature      no X-SORI-Signature header
│   ├── MalformedSignature    not a signature of any accepted encoding
│   └── WrongSignature        no configured secret made it
├── EventError                the body is not an event of the contract
│   ├── MalformedEvent        not JSON, or not an object
│   ├── InvalidEvent          a field is missing or of the wrong type
│   └── UnknownEvent          an event name outside the contract
├── StorageUnavailable        Kafka or ClickHouse cannot store now; worth a retry
├── SchemaError               ClickHouse has not the schema we need
├── QueryError                a query of the read side was refused
├── TooManyVerdicts           an account has no room for another verdict
├── SnapshotRefused           a snapshot of stream state is torn, foreign or of another format
└── BacktestFailed            a process of a backtest failed or is gone
"""


class SoriError(Exception):
    """Root of every error that the pipeline raises on purpose."""


class ConfigError(SoriError):
    """A setting is wrong, or a settings file cannot be read."""


class PrerequisiteError(SoriError):
    """Something the machine must provide is missing; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\n{remedy}")
        self.message = message
        self.remedy = remedy


class SignatureError(SoriError):
    """The signature does not prove the sender."""


class MissingSignature(SignatureError):
    """The signature header is absent or empty."""


class MalformedSignature(SignatureError):
    """The header is not a signature of any accepted encoding."""


class WrongSignature(SignatureError):
    """No configured secret produced this signature."""


class EventError(SoriError):
    """The body is not an event of the contract; `field` is a JSON path such as `campaign.id`, or empty."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class MalformedEvent(EventError):
    """The body is not JSON, or not a JSON object."""


class InvalidEvent(EventError):
    """A field is missing, empty or of the wrong type."""


class UnknownEvent(EventError):
    """The event name is outside the contract."""


class StorageUnavailable(SoriError):
    """The store did not acknowledge in time; the same call may succeed later."""


class SchemaError(SoriError):
    """ClickHouse lacks a table or column that this version needs."""


class QueryError(SoriError):
    """ClickHouse refused a query; the message is ClickHouse's own."""


class TooManyVerdicts(SoriError):
    """An account has as many verdicts, or allows as many subjects, as it may."""


class BacktestFailed(SoriError):
    """A process of a backtest failed or is gone; nothing was written."""


class SnapshotRefused(SoriError):
    """A snapshot of stream state is torn, foreign or of another format: the log is read instead."""
