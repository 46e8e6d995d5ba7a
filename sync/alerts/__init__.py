"""Alerts: people are told when something begins or ceases to be wrong, once each time."""
