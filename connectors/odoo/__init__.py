"""Odoo: partners (customers and their contacts) over the External API, JSON-2 or JSON-RPC."""
