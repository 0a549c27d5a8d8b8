"""The experiments on photographs."""
