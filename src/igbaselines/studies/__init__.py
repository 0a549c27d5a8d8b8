"""The studies: a folder a paper, which registers itself."""
