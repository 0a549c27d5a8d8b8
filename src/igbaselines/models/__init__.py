"""Networks, their training, and what makes their gradients cheap."""
