"""Everything that touches outputs/: run folders, rows, provenance."""
