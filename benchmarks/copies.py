"""A large master out of a small one: the same customers again and again, under other ids and keys.

Made inside PostgreSQL within minutes, where landing and resolving a million records takes a quarter of an hour. Every
index is as large as if they were a million customers, and keys are spread among the others', as hashes are. Who is
compared with whom stays the same: no copy shares a key with another.
"""

from __future__ import annotations

import psycopg

_FAR_KEY, _FAR_ID = 922_337_203_685_477_580, 922_337_203_685_477
_KEY = f"# (copy::bigint * {_FAR_KEY})"
_ID = f"# (copy * {_FAR_ID})"
_RECORD = (
    "stream_id, source_id || '-copy-' || copy, part, parent_id + copy * {records}, version, features_version, hash, "
    "raw, canonical, features, changed_at, landed_at, deleted_at"
)
_STATEMENTS = (
    "ALTER TABLE match_key DROP CONSTRAINT pk_match_key",
    "DROP INDEX ix_match_edge_right_id",
    "DROP INDEX ix_change_customer_id",
    f"INSERT INTO match_key SELECT key {_KEY}, record_id + copy * {{records}} FROM match_key, {{copies}}",
    "ALTER TABLE match_key ADD CONSTRAINT pk_match_key PRIMARY KEY (key, record_id)",
    "INSERT INTO source_record (id, stream_id, source_id, part, parent_id, version, features_version, hash, raw, "
    "canonical, features, changed_at, landed_at, deleted_at) "
    f"SELECT id + copy * {{records}}, {_RECORD} FROM source_record, {{copies}} ORDER BY copy, id",
    f"INSERT INTO customer SELECT id {_ID}, version, status, kind, name, golden, members, changed_at "
    "FROM customer, {copies}",
    f"INSERT INTO crosswalk SELECT record_id + copy * {{records}}, customer_id {_ID}, version, features_version "
    "FROM crosswalk, {copies}",
    f"INSERT INTO customer_alias SELECT old_id {_ID}, customer_id {_ID} FROM customer_alias, {{copies}}",
    "INSERT INTO match_edge SELECT left_id + copy * {records}, right_id + copy * {records}, left_version, "
    "right_version, weight, rule FROM match_edge, {copies}",
    f"INSERT INTO change SELECT seq + copy * {{changes}}, customer_id {_ID}, type, version, body, at, cause "
    "FROM change, {copies} ORDER BY 1",
    "UPDATE counter SET value = value * {times} WHERE name = 'change'",
    "UPDATE tally SET value = value * {times}",
    "CREATE INDEX ix_match_edge_right_id ON match_edge (right_id)",
    "CREATE INDEX ix_change_customer_id ON change (customer_id)",
    "SELECT setval('record_id', {records} * {times})",
)


def multiply(url: str, times: int) -> None:
    """So many times the customers that are there. Only records that no customer was copied from may follow."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT (SELECT max(id) FROM source_record), (SELECT max(seq) FROM change)").fetchone()
        assert row is not None
        for statement in _STATEMENTS:
            told = statement.format(
                copies=f"generate_series(1, {times - 1}) copy", records=row[0], changes=row[1], times=times
            )
            connection.execute(told.encode())
