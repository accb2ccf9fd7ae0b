"""Documents as files, each checked by the library of its standard."""
