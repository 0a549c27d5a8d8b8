"""2310.04821 on grid worlds, where Shapley values are known exactly."""
