"""Gmail and Google Contacts: the address book of a mailbox, and the people in its mail."""
