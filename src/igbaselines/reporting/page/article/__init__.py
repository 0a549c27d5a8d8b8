"""A paper's reproduction as a short article, in Markdown and LaTeX."""
