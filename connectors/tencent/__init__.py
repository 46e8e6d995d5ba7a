"""What WeCom and WeChat official accounts have in common: tokens in the query, error codes, encrypted callbacks."""
