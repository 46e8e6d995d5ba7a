"""Salesforce: accounts, contacts and leads over the REST API and Bulk API 2.0."""
