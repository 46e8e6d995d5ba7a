"""SAP S/4HANA: business partners over API_BUSINESS_PARTNER (OData 2)."""
