"""What is read from each image of a dataset: its digest, its looks, and what it says of itself."""
