"""An analyst's own ntuples: ROOT, parquet or CSV files a process, as they stand, to a table of events."""
