"""Mautic: the contacts of a marketing automation over its REST interface and webhooks."""
