"""What a call asks for: every argument found, taken apart, copied, and written down so that it can be read back."""
