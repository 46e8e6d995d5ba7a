"""Pure functions: a raw record in, canonical customers out; pairs in, decisions out. No I/O."""
