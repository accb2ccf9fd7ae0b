"""A recorded call, made again."""
