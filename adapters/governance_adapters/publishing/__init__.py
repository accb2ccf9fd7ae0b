"""What outsiders check a log by: a served log read back, checkpoints published, and time stamps."""
