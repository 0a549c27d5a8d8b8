"""What an article is made of, and how each part is written in Markdown and in LaTeX.

Words may hold math between dollar signs where they are the suite's own (`Words.math`); everything else is printed as it
stands, whoever wrote it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from igbaselines.reporting.labels import escape_latex

MATH = re.compile(r"(\$[^$]+\$)")
COMMANDS = {
    "alpha",
    "cancel",
    "ell",
    "geq",
    "hat",
    "leq",
    "mathrm",
    "mathbf",
    "phi",
    "pm",
    "rm",
    "sim",
    "tau",
    "text",
    "times",
}
LETTERS = {
    **{"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{EN DASH}": "--"},
    **{"\N{EM DASH}": "---", "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''"},
    **{"\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MIDDLE DOT}": r"$\cdot$"},
    **{
        "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
        "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
        "\N{DEGREE SIGN}": r"$^\circ$",
    },
    **{"\N{GREEK SMALL LETTER ALPHA}": r"$\alpha$", "\N{RIGHTWARDS ARROW}": r"$\rightarrow$"},
}
PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage{booktabs,longtable,array}
\usepackage[hidelinks]{hyperref}
\setlength{\emergencystretch}{3em}
\newcommand{\cancel}[1]{\not\!#1}
"""


@dataclass(frozen=True)
class Heading:
    """A heading of a section."""

    words: str

    def markdown(self) -> str:
        """In Markdown."""
        return f"## {plain(self.words)}"

    def latex(self) -> str:
        """In LaTeX."""
        return rf"\section*{{{tex(self.words)}}}"


@dataclass(frozen=True)
class Words:
    """A paragraph; with `math`, what stands between dollar signs is math."""

    words: str
    math: bool = False

    def markdown(self) -> str:
        """In Markdown."""
        return plain(self.words, self.math)

    def latex(self) -> str:
        """In LaTeX."""
        return tex(self.words, self.math)


@dataclass(frozen=True)
class Items:
    """A list."""

    items: Sequence[Words]

    def markdown(self) -> str:
        """In Markdown."""
        return "\n".join(f"- {item.markdown()}" for item in self.items)

    def latex(self) -> str:
        """In LaTeX."""
        lines = [rf"\item {item.latex()}" for item in self.items]
        return "\n".join([r"\begin{itemize}", *lines, r"\end{itemize}"])


@dataclass(frozen=True)
class Lines:
    """Commands, line by line."""

    lines: Sequence[str]

    def markdown(self) -> str:
        """In Markdown."""
        return "\n".join(f"    {line}" for line in self.lines)

    def latex(self) -> str:
        """In LaTeX; the lines may be broken anywhere, so they are no verbatim."""
        lines = [rf"\item[] {{\ttfamily\small {tex(line)}}}" for line in self.lines]
        return "\n".join([r"\begin{itemize}\raggedright", *lines, r"\end{itemize}"])


@dataclass(frozen=True)
class Grid:
    """A table; `widths` are shares of a line's width, a share a column."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]

    def markdown(self) -> str:
        """In Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(plain(cell) for cell in line)} |" for line in lines)

    def latex(self) -> str:
        """In LaTeX."""
        line = rf"\dimexpr\linewidth-{2 * len(self.widths)}\tabcolsep\relax"
        columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width:.3f}{line}}}" for width in self.widths)
        head, *lines = [rf"{' & '.join(map(tex, line))} \\" for line in (self.heads, *self.rows)]
        parts = [rf"\begin{{longtable}}{{{columns}}}", r"\toprule", head, r"\midrule", r"\endhead"]
        return "\n".join([r"{\small", *parts, *lines, r"\bottomrule", r"\end{longtable}}"])


Block = Heading | Words | Items | Lines | Grid


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """A whole article in Markdown."""
    return "\n\n".join([f"# {plain(title)}", *(block.markdown() for block in blocks)]) + "\n"


def latex(title: str, author: str, blocks: Sequence[Block]) -> str:
    """A whole article in LaTeX, for pdflatex."""
    head = [PREAMBLE, rf"\title{{{tex(title)}}}", rf"\author{{{tex(author)}}}", r"\date{}"]
    body = [r"\begin{document}", r"\maketitle", *(block.latex() for block in blocks), r"\end{document}"]
    return "\n\n".join([*head, *body]) + "\n"


def plain(words: str, math: bool = False) -> str:
    """Text that Markdown prints as it stands."""
    return "".join(
        part if is_math else re.sub(r"([\\`*_\[\]<>|#$~])", r"\\\1", part) for part, is_math in _parts(words, math)
    )


def tex(words: str, math: bool = False) -> str:
    """Text that LaTeX prints as it stands, and may break behind what joins names."""
    return "".join(part if is_math else _text(part) for part, is_math in _parts(words, math))


def _text(words: str) -> str:
    return re.sub(r"(\\_|/)(?=\w)", r"\1\\allowbreak{}", "".join(map(_letter, escape_latex(words))))


def _parts(words: str, math: bool) -> Iterator[tuple[str, bool]]:
    """The parts of a text in a line, and which of them are math that can do no harm."""
    line = " ".join(words.split())
    for part in MATH.split(line) if math else [line]:
        yield part, math and bool(MATH.fullmatch(part)) and _is_math(part)


def _is_math(part: str) -> bool:
    depth = 0
    for letter in part:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0 and part.isascii() and not re.search(r"[%#&~]", part) and _known_commands(part)


def _known_commands(part: str) -> bool:
    return set(re.findall(r"\\([A-Za-z]*)", part)) <= COMMANDS


def _letter(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isprintable() else " "
    return LETTERS.get(
        letter, letter if "\u00c0" <= letter <= "\u017e" and letter.isalpha() else f"[U+{ord(letter):04X}]"
    )
