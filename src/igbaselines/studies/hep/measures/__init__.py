"""What the study measures of networks and rankings: classification, discovery, two samples."""
