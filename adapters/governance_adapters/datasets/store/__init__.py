"""An audited dataset on disk: its leaves and their tree, its records, and what its pictures look like; all of it mapped."""
