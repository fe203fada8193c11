"""Where an accepted event goes before its 2xx: Kafka in groups, or the disk spool."""
