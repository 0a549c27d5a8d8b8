"""Networks that learn the values of states."""
