"""Tryton, an open-source ERP: its parties, read and written over JSON-RPC."""
