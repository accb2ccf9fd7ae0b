"""From a released file back to every licence behind it, and from a licence to all that was made with it."""
