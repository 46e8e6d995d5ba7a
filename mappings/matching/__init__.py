"""Which records are one customer: rules and models behind ``mappings.contract.Matcher``."""
