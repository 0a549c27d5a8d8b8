"""Grid worlds and the exact values of their states."""
