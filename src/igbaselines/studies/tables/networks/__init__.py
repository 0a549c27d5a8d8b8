"""Networks that tell the classes of a table apart."""
