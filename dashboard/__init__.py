"""The dashboard: pages over HTTP for the people who watch syncs and look up customers. No SQL of its own."""
