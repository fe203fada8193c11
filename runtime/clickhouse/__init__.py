"""ClickHouse for every stage: one client for servers and chDB, migrations, retention."""
