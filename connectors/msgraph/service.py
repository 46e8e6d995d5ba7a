"""Microsoft Graph as this connector uses it: the login, its error codes, the address book."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from connectors.contract import Context
from connectors.errors import BadConfiguration, PermissionMissing, RecordRejected, WriteConflict
from connectors.http import Client
from connectors.msgraph.config import GraphConfig
from connectors.odata.client import Codes, ODataClient
from connectors.odata.entra import entra
from connectors.odata.tracking import TrackedSet

CODES: Codes = {
    "ErrorAccessDenied": PermissionMissing,
    "Authorization_RequestDenied": PermissionMissing,
    "MailboxNotEnabledForRESTAPI": BadConfiguration,
    "Request_ResourceNotFound": BadConfiguration,
    "ResourceNotFound": BadConfiguration,
    "ErrorInvalidUser": BadConfiguration,
    "ErrorItemNotFound": RecordRejected,
    "ErrorIrresolvableConflict": WriteConflict,
}
NO_MAILBOX = frozenset(
    {"MailboxNotEnabledForRESTAPI", "Request_ResourceNotFound", "ResourceNotFound", "ErrorInvalidUser"}
)
IMMUTABLE = 'IdType="ImmutableId"'
"""Ids that stay when an item moves to another folder; without it every move is a delete and a new item."""
COLUMNS = (
    "id", "displayName", "givenName", "middleName", "surname", "nickName", "companyName", "department", "jobTitle",
    "emailAddresses", "businessPhones", "homePhones", "mobilePhone", "businessAddress", "homeAddress", "otherAddress",
    "businessHomePage", "birthday", "categories", "personalNotes", "createdDateTime", "lastModifiedDateTime",
    "changeKey", "parentFolderId",
)  # fmt: skip
LARGEST_PAGE = 500


def graph(config: GraphConfig, context: Context) -> ODataClient:
    """The client of one mailbox's tenant."""
    base_url = config.base_url.rstrip("/") + "/"
    parts = urlsplit(base_url)
    scope = f"{parts.scheme}://{parts.netloc}/.default"
    login = entra(config.login_url, config.tenant, config.client_id, config.client_secret, scope)
    http = Client(context, base_url, auth=login, headers={"Prefer": IMMUTABLE})
    if config.client_state is not None:
        http.redactor.add(config.client_state)
    return ODataClient(http, base_url, codes=CODES)


def user_path(config: GraphConfig) -> str:
    """Where the mailbox stands."""
    return f"users/{quote(config.mailbox, safe='@')}"


def contact_set(config: GraphConfig) -> TrackedSet:
    """How the address book is read: by its delta function, and by change stamps where there is none."""
    folder = f"/contactFolders/{quote(config.contact_folder, safe='')}" if config.contact_folder else ""
    path = f"{user_path(config)}{folder}/contacts"
    return TrackedSet(
        path=path,
        key="id",
        stamp="lastModifiedDateTime",
        params={"$select": ",".join(COLUMNS)},
        largest=LARGEST_PAGE,
        prefer=(IMMUTABLE,),
        delta=f"{path}/delta",
        order="lastModifiedDateTime",
        entity="{path}/{key}",
        by_key=False,
        top=True,
    )
