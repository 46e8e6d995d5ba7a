"""Microsoft Dynamics 365 Business Central: the customers of one company over its API v2.0."""
