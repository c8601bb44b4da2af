"""Pruned networks made smaller: channels that do nothing are removed."""
