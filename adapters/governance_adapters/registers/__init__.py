"""What is checked about a model before it is registered."""
