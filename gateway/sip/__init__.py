"""Calls over SIP: each dialog of ``sip_glue`` joined to a call of ``gateway.calls``."""
