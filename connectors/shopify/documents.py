"""The GraphQL documents: what is asked of a customer, in pages, in bulk and one by one."""

from __future__ import annotations

from datetime import UTC, datetime

LARGEST_PAGE = 250
ADDRESS = "id firstName lastName company address1 address2 city province provinceCode zip countryCodeV2 phone"
FIELDS = (
    "id legacyResourceId createdAt updatedAt displayName firstName lastName state locale note tags taxExempt "
    "defaultEmailAddress { emailAddress marketingState } defaultPhoneNumber { phoneNumber marketingState } "
    f"amountSpent {{ currencyCode }} defaultAddress {{ id company }} addresses(first: 20) {{ {ADDRESS} }}"
)
"""Only lists, no connections: so a bulk operation gives each customer in one line."""

SHOP = "query { shop { name } }"
IDS = """query ($first: Int!, $after: String) {
  customers(first: $first, after: $after, sortKey: ID) { pageInfo { hasNextPage endCursor } nodes { id } }
}"""
SET = """mutation ($input: CustomerSetInput!, $identifier: CustomerSetIdentifiers) {
  customerSet(input: $input, identifier: $identifier) {
    customer { id createdAt }
    userErrors { code field message }
  }
}"""
START = """mutation ($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status }
    userErrors { field message }
  }
}"""
STATE = """query ($id: ID!) {
  node(id: $id) { ... on BulkOperation { id status errorCode objectCount url } }
}"""


def fields(external_id: str | None) -> str:
    """The selection of one customer, with the metafield that holds our id where there is one."""
    if external_id is None:
        return FIELDS
    namespace, key = external_id.split(".")
    return f'{FIELDS} externalId: metafield(namespace: "{namespace}", key: "{key}") {{ value }}'


def listing(selection: str) -> str:
    """A page of customers in the order of their last change."""
    return (
        "query ($first: Int!, $after: String, $query: String) { "
        "customers(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) { "
        f"pageInfo {{ hasNextPage endCursor }} nodes {{ {selection} }} }} }}"
    )


def everything(selection: str) -> str:
    """All customers, as a bulk operation is asked for them."""
    return f"{{ customers {{ edges {{ node {{ {selection} }} }} }} }}"


def one(selection: str) -> str:
    """One customer by id."""
    return f"query ($id: ID!) {{ customer(id: $id) {{ {selection} }} }}"


def several(selection: str) -> str:
    """Customers by their ids; null for those that are not there."""
    return f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {selection} }} }} }}"


def between(since: datetime | None, until: datetime | None) -> str | None:
    """The search for customers changed in that time; stamps are quoted, or their colons would part the search."""
    bounds = [(">=", since), ("<", until)]
    said = [f"updated_at:{sign}'{at.astimezone(UTC).isoformat(timespec='seconds')}'" for sign, at in bounds if at]
    return " AND ".join(said) or None
