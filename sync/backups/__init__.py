"""Backups: one file that holds the whole database, and going back to it."""
