"""The experiment of 2310.04821 on grid worlds."""
