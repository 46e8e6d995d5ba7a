"""IMAP mailboxes: the people that a mailbox corresponds with, from message headers alone."""
