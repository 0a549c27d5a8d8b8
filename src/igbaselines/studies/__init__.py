"""The studies: a folder each, which says in its `STUDY` all that the rest of the suite knows of it."""
