"""Policy engines and the bundles they evaluate."""
