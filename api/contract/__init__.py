"""What the API serves: one table of routes, which the server validates by and `/v1/openapi.json` is made from."""
