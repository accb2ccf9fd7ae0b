"""Audits of training data: what a dataset holds, under which rights, and the proof of what is in it and what is not."""
