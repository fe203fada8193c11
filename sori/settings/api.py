"""The read side."""

from pydantic import BaseModel, ConfigDict, Field

from sori.settings.types import CommaText, SecretText


class ApiSettings(BaseModel):
    """Settings of `sori api`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Where people reach the live page, such as https://sori.example.com: messages about alerts link "
        "there; empty: no links. `sori up` fills it in.",
    )
    port: int = Field(8081, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    clickhouse_dsn: SecretText = Field(
        "",
        repr=False,
        description="How queries reach a ClickHouse server: a user that only reads, which `sori schema apply` makes; "
        "empty = as `clickhouse.dsn`, which may write.",
    )
    query_timeout_s: float = Field(30.0, gt=0, description="Longest run of one query, seconds.")
    max_result_mb: int = Field(256, gt=0, description="Largest result of one query, megabytes.")
    max_memory_mb: int = Field(
        512, gt=0, description="Most memory of one query, megabytes; `concurrency` queries may run at a time."
    )
    max_result_rows: int = Field(2_000_000, gt=0, description="Most rows in the result of one query.")
    stages: CommaText = Field(
        "",
        description="Where the live page asks the other stages whether they are ready: `ingest=http://host:port,…`; "
        "empty: their ports on this machine.",
    )
    cors_origins: CommaText = Field(
        "*",
        description="Origins whose pages may use the API, comma-separated, such as https://ops.example; they need a "
        "token all the same. `*`: any origin; empty: none but our own.",
    )
    max_connections: int = Field(
        6000, ge=1, description="Open connections; a further one takes the place of the longest idle, or gets 503."
    )
    header_timeout_s: float = Field(10.0, gt=0, description="Time for a new connection's first request head, seconds.")
    body_timeout_s: float = Field(10.0, gt=0, description="Time for a body to arrive once its head is there, seconds.")
    keepalive_timeout_s: float = Field(75.0, gt=0, description="How long an idle connection is kept, seconds.")
    concurrency: int = Field(4, gt=0, description="Queries at the same time; more wait in line.")

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins of `cors_origins`."""
        return frozenset(part.strip().rstrip("/") for part in self.cors_origins.split(",") if part.strip())
