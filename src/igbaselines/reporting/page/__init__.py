"""The report: one page from all run folders."""
