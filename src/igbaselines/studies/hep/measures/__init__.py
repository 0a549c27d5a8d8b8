"""What the study measures of networks and rankings: classification, discovery, splits, two samples."""
