"""Stewardship: what people decide about records and customers, who said it, why, and how it is taken back."""
