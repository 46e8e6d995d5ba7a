"""Microsoft Dynamics 365 on Dataverse: accounts and contacts over the Dataverse Web API."""
