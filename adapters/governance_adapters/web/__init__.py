"""The review API: ledger, holds, works and verification over HTTP, for keys with scopes and people with roles.

`keys` makes and revokes API keys, `app.make_app` builds the application on `parts.ApiParts`, and `serving` runs it.
"""
