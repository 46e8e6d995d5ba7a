"""Adding and changing connections without touching a file: forms, drafts, tries, and a first sync rehearsed."""
