"""Fraud alerts: findings become episodes, episodes become versions of one alert. Pure."""
