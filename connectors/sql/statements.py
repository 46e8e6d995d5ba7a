"""The guard for statements written by hand: one SELECT, nothing that writes.

The database's own read-only transaction is the real lock; this guard tells the mistake before anything is sent.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \[[^\]]*\] | --[^\n]* | /\*.*?\*/
        | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$""",
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_WRITING = {
    *("INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CREATE", "DROP", "ALTER"),
    *("TRUNCATE", "GRANT", "REVOKE", "CALL", "EXEC", "EXECUTE", "COPY", "ATTACH"),
    *("DETACH", "PRAGMA", "VACUUM", "LOAD", "LOCK", "SET", "BEGIN", "COMMIT"),
    *("ROLLBACK", "DO", "NEXTVAL", "SETVAL", "PG_SLEEP", "PG_READ_FILE", "LO_IMPORT", "LO_EXPORT"),
    *("DBLINK", "LOAD_FILE", "LOAD_EXTENSION", "XP_CMDSHELL", "OPENROWSET"),
}


def require_select(statement: str) -> str:
    """The statement without a closing semicolon. Raises ValueError unless it is a single SELECT that only reads."""
    if "\0" in statement:
        raise ValueError("a statement must not hold a NUL character")
    plain = _QUOTED.sub(" ", statement)
    if any(sign in plain for sign in ("'", '"', "`", "/*", "$$")):
        raise ValueError("the statement has a quote or comment that is not closed")
    body = statement.strip().rstrip(";").rstrip()
    if ";" in plain.strip().rstrip(";").rstrip():
        raise ValueError("only a single statement is allowed")
    words = [word.upper() for word in _WORD.findall(plain)]
    if not words or words[0] not in ("SELECT", "WITH"):
        raise ValueError("only a SELECT (or WITH … SELECT) statement is allowed")
    writing = next((word for word in words if word in _WRITING), None)
    if writing is not None:
        raise ValueError(f"{writing} is not allowed: streams only read (quote it if it is the name of a column)")
    return body
