"""Modules that run inside governed calls only, and what is intercepted around them."""
