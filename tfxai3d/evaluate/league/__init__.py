"""The league: methods beside each other, on networks and by metrics."""
