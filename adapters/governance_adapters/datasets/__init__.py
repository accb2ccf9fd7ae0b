"""Audits of training data: sources, content, rights, and the files that an audit leaves."""
