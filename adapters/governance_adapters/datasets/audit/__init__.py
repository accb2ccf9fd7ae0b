"""One audit of a dataset: what it reads, what it leaves, and how it goes on where it stopped."""
