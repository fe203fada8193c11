"""The disk spool: events that Kafka could not take, fsynced, until it can."""
