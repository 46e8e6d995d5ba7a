"""OData, as ERP and CRM systems speak it: version 2 (SAP Gateway) and version 4 (Microsoft Dynamics 365).

One module per concern: ``literals`` (values in URLs and answers), ``answers`` (pages and errors), ``client`` (calls),
``tracking`` (reading with change tracking, version 4), ``writing`` (updates under an entity tag), ``entra`` (logging
in to Microsoft). The protocol: OASIS OData 4.01 part 1 and JSON format, and odata.org's version 2.0.
"""
