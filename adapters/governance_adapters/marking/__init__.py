"""What goes into a file before it is released: watermark, label, encoding, manifest; and the keys for it."""
