"""What is explained, and what one may know beside: background, players, and what absent players become."""
