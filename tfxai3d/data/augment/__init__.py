"""Random changes of training examples, and batches of them."""
