"""How every stage reaches Kafka."""

from pydantic import BaseModel, ConfigDict, Field

from sori.settings.types import CommaText


class KafkaSettings(BaseModel):
    """Client settings shared by every stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: CommaText = Field("127.0.0.1:9092", description="Bootstrap servers, host:port, comma-separated.")
    topic_prefix: str = Field("sori.", description="Prefix of every topic name.")
    request_timeout_s: float = Field(10.0, gt=0, description="Bound on every Kafka call of ours, seconds.")
    replication: int = Field(1, ge=1, description="Replicas per topic (3 in production).")
    event_partitions: int = Field(6, ge=1, description="Partitions of the events topic: the ceiling of stream workers.")
