"""Tables, figures and claim tests of 2310.04821 on grid worlds."""
