"""Which baseline for Integrated Gradients? Three papers on one engine, with a verdict for every claim."""

__version__ = "0.1.0"
