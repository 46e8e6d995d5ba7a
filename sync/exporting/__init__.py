"""Exports: the customers of one moment as a file, and the token from which the change feed goes on."""
