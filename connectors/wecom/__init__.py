"""WeCom (企业微信): the external contacts of a company's employees."""
