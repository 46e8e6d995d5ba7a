"""Microsoft 365 mailboxes over Microsoft Graph: the address book, and the people in mail."""
