"""The Grafana dashboards and alert rules as code: `python -m deploy.grafana.builder` writes ../provisioning."""
