"""Layer-wise relevance propagation: rules, what folds into a layer, and one propagation for all of them."""
