"""Kingdee K/3 Cloud (金蝶云星空): customers over its WebAPI."""
