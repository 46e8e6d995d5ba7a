"""Yonyou U8 and U8+ (用友): customers over the U8 OpenAPI."""
