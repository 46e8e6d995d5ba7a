"""The customer master: landing, resolving, golden records, the change feed."""
