"""The one ClickHouse client, migrations and retention."""
