"""The Grafana dashboards as a picture, from their own SQL: `python -m bench.dashboard`."""
