"""Files of single objects, format by format."""
