"""Who may do what: users, roles, API keys, sessions, and the ways to sign in."""
