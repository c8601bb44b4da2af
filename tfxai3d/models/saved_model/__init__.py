"""SavedModels of anybody: what they may hold, and reading them."""
