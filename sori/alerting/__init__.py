"""The contract with subscribers: alerts, filters, subscriptions, tokens, targets, signed webhooks."""
