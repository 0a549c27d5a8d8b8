"""Networks of photographs, their weights and preprocessing."""
