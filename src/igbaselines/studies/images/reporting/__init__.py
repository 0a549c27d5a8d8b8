"""Tables, figures and claim tests of the experiments on photographs."""
