"""2505.03201: Tables 1 and 2, Figures 1 and 2, and sweeps."""
