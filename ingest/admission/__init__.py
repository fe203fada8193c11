"""May this request be stored? Pure decisions: endpoint, signature, schema, account, time, limits."""
