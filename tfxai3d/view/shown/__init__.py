"""What is shown, before it is a picture, a page or a window."""
