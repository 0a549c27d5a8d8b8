"""Tables, figures and claim tests of 2412.13864."""
