"""Which rights stand in the way: licences in SPDX, and what sites say of training."""
