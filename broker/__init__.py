"""One Kafka broker for laptops and tests: jars, storage, child process, topic admin."""
