"""Whom a mailbox corresponds with and when last, from message headers: what all connectors to mail have in common."""
