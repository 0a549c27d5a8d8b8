"""What a comparison says: the answer, what it hangs on, what it costs, and how sure it is."""
