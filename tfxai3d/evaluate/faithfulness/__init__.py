"""Whether a map tells the truth about its network."""
