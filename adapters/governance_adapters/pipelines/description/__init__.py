"""What would generate: the digests of every component, the adapters, the scheduler, and what else makes the numbers."""
