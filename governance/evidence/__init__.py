"""Evidence packs: everything that is recorded about one released file, for somebody who does not trust us.

`verify` checks a pack with nothing but Python's standard library, and goes into each pack.
"""
