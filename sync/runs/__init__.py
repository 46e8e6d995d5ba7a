"""Sync runs: reading one stream into the master, page by page, and everything that keeps that going."""
