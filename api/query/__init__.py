"""Questions to ClickHouse: who can answer, what may be asked, in pages."""
