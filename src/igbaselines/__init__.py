"""Which baseline for Integrated Gradients? Three papers on one engine, with a verdict for every claim."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igbaselines.library import Explanation, evaluate, explain, plot, quantus_explain

__version__ = "0.1.0"
__all__ = ["Explanation", "evaluate", "explain", "plot", "quantus_explain"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a function or a class)
    """The library's names, imported when they are asked for: the command line does not wait for torch."""
    if name in __all__:
        from igbaselines import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
