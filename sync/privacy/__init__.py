"""Personal data: who sees it, what is held on a person, and how it is erased."""
