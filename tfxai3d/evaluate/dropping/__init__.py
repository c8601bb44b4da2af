"""Points taken away, step by step."""
