"""Methods of the field beside the three papers, each a choice of path, nodes or integrand: one file a method."""
