"""What 2412.13864 leaves open: studies of its rankings."""
