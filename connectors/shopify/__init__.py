"""Shopify: the customers of one shop, over the GraphQL Admin interface."""
