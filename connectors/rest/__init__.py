"""Declarative REST: a YAML manifest is a connector. The language is described in docs/connectors.md."""
