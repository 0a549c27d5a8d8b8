"""2310.04821 on photographs."""
