"""From edges to customers: which records form a customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mappings.contract import Decision, Features, Matcher, Member, RecordKey, seniority
from sync.master import decisions
from sync.master.bulk import Bulk
from sync.master.candidates import CONNECTING_WEIGHT
from sync.master.components import Held, Stored
from sync.master.decisions import Links
from sync.master.records import LandedRecord, features_of
from sync.master.streams import StreamRef


class LiveRecord(NamedTuple):
    """A record that may belong to a customer."""

    id: int
    version: int
    stream: StreamRef
    source_id: str
    part: str
    features: Features

    @property
    def key(self) -> RecordKey:
        """Its key, by which it is ranked."""
        return self.stream.key(self.source_id, self.part)

    @property
    def founds(self) -> int:
        """The id of the customer it would found."""
        return self.stream.founder_id(self.source_id, self.part)

    @property
    def address(self) -> list[str]:
        """How the record is named outside: connection, stream, source id and part."""
        return [self.stream.connection, self.stream.name, self.source_id, self.part]


Cluster = tuple[LiveRecord, ...]
"""The live records of one customer, senior first."""


def settle(
    bulk: Bulk, held: Held, batch: Sequence[LandedRecord], streams: Mapping[int, StreamRef], matcher: Matcher
) -> list[Cluster]:
    """The customers that the held records form. A pure function of records, edges and decisions."""
    live = load_live(bulk, held.records, batch, streams, held.stored)
    links = decisions.links(held.words.verdicts.values(), {number: record.key for number, record in live.items()})
    components = _components(held, live, links.must)
    judged = _judged(links, components, live)
    found: list[Cluster] = []
    for place, component in enumerate(components):
        members = [Member(number, live[number].key, live[number].features) for number in component]
        clusters = [[members[0].id]] if len(members) == 1 else matcher.cluster(members, judged.get(place, ()))
        found += [ranked([live[number] for number in cluster]) for cluster in clusters]
    return found


def _judged(
    links: Links, components: Sequence[Sequence[int]], live: Mapping[int, LiveRecord]
) -> dict[int, list[Decision]]:
    """The stewards' words by component; a pair of two components needs no word to be apart."""
    if not (links.must or links.cannot):
        return {}
    place = {number: index for index, component in enumerate(components) for number in component}
    judged: dict[int, list[Decision]] = defaultdict(list)
    for pairs, same in ((links.must, True), (links.cannot, False)):
        for left, right in pairs:
            if place[left] == place[right]:
                judged[place[left]].append(Decision(live[left].key, live[right].key, same))
    return judged


def ranked(records: Sequence[LiveRecord]) -> Cluster:
    """The records of a customer, senior first."""
    return tuple(sorted(records, key=lambda record: seniority(record.key)))


def load_live(
    bulk: Bulk,
    record_ids: set[int],
    batch: Sequence[LandedRecord],
    streams: Mapping[int, StreamRef],
    stored: Mapping[int, Stored],
) -> dict[int, LiveRecord]:
    """The live records among the ids, as landed now; those of the batch as they were handed over, those that are
    ``stored`` as they were read.
    """
    live = {
        record.id: LiveRecord(
            record.id, record.version, streams[record.stream_id], record.source_id, record.part, record.features
        )
        for record in batch
        if record.id in record_ids and record.features is not None
    }
    others = record_ids - {record.id for record in batch}
    for number in others & stored.keys():
        one = stored[number]
        if one.features is not None:
            found = features_of(one.features) or ()
            live[number] = LiveRecord(number, one.version, streams[one.stream_id], one.source_id, one.part, found)
    others -= stored.keys()
    if not others:
        return live
    rows = bulk.fetch(
        "SELECT id, version, stream_id, source_id, part, features FROM source_record "
        "WHERE id {ints} AND deleted_at IS NULL AND features IS NOT NULL",
        sorted(others),
    )
    for record_id, version, stream_id, source_id, part, features in rows:
        live[record_id] = LiveRecord(
            record_id, version, streams[stream_id], source_id, part, features_of(features) or ()
        )
    return live


def _components(held: Held, live: Mapping[int, LiveRecord], must: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Connected components over current edges and must-links, by union-find."""
    parent = {number: number for number in live}

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    pairs = [pair for pair, edge in held.edges.items() if edge.weight >= CONNECTING_WEIGHT]
    pairs += must
    for left, right in pairs:
        if left in parent and right in parent:
            parent[root(left)] = root(right)
    components: dict[int, list[int]] = defaultdict(list)
    for number in live:
        components[root(number)].append(number)
    return list(components.values())
