"""Photographs: 2505.03201, 2310.04821 on images, and explanations of one's own."""
