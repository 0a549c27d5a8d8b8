"""The eleven processes of arXiv:2412.13864 as Pythia makes them: leading order, with radiation and hadrons.

Settings: Bierlich et al., "A comprehensive guide to the physics and usage of PYTHIA 8.3", arXiv:2203.11601, and its
manual. Missing for want of a native process: tW, ttZ, ttW, and W or Z with two matched jets.
"""

from dataclasses import dataclass

from igbaselines.common.errors import UserError


@dataclass(frozen=True)
class PythiaProcess:
    """A process."""

    settings: tuple[str, ...]  # Pythia's own lines
    leptons: int = 1  # charged leptons (e, mu, tau) in the decays of its heavy particles; events with others are vetoed
    conjugates: int = 1  # assignments of the decays to particle and antiparticle that the settings stand for
    prescaled: bool = False  # whether most of its jets are light, so that hardly any event has a b-tag


@dataclass
class Beam:
    """How Pythia collides."""

    energy: float  # of both protons together [GeV]
    mpi: bool  # whether more partons than two collide
    prescale: float  # part of the events without a hard bottom or charm quark that goes on, in prescaled processes
    vetoes: bool = True  # whether hopeless events are vetoed early; False is for tests of the vetoes

    def __post_init__(self) -> None:
        if not self.energy > 0:
            raise UserError(f"dataset.beam.energy must be positive, got {self.energy}")
        if not 0 < self.prescale <= 1:
            raise UserError(f"dataset.beam.prescale must lie in (0, 1], got {self.prescale}")


# B is Pythia's fourth-generation b' (7), Phi its heavy neutral Higgs H0 (35).
_PAIR_OF_B = (
    "FourthBottom:gg2bPrimebPrimebar = on",
    "FourthBottom:qqbar2bPrimebPrimebar = on",
    "7:m0 = 1500",
    # Each of the two branching ratios below is 1, so Pythia halves both and doubles the width: 1500 GeV at 1 %.
    "7:mWidth = 7.5",
    # Without a window the tails of the resonance cost the cross-section a factor of 25.
    "7:mMin = 1300",
    "7:mMax = 1700",
    "7:oneChannel = 2 1.0 100 6 -24",  # for the particle only: B -> t W (meMode 100: the widths are not recomputed)
    "7:addChannel = 3 1.0 100 5 35",  # for the antiparticle only: B -> b Phi
    "35:m0 = 400",
    "35:mWidth = 4",
    "35:mMin = 360",
    "35:mMax = 440",
    "35:oneChannel = 1 1.0 100 5 -5",
)
_TOPS = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")
_HIGGS_TO_BOTTOM = ("25:onMode = off", "25:onIfMatch = 5 -5")

PYTHIA_PROCESSES: dict[str, PythiaProcess] = {
    "signal": PythiaProcess(_PAIR_OF_B, conjugates=2),
    "tt1l": PythiaProcess(_TOPS),
    "wj": PythiaProcess(("WeakBosonAndParton:qqbar2Wg = on", "WeakBosonAndParton:qg2Wq = on"), prescaled=True),
    "tt2l": PythiaProcess(_TOPS, leptons=2),
    "st_t": PythiaProcess(("Top:qq2tq(t:W) = on",)),
    "st_s": PythiaProcess(("Top:ffbar2tqbar(s:W) = on",)),
    "zj": PythiaProcess(
        ("WeakBosonAndParton:qqbar2gmZg = on", "WeakBosonAndParton:qg2gmZq = on", "23:mMin = 60"),
        leptons=2,
        prescaled=True,
    ),
    "ww": PythiaProcess(("WeakDoubleBoson:ffbar2WW = on",), prescaled=True),
    "wz": PythiaProcess(("WeakDoubleBoson:ffbar2ZW = on",), prescaled=True),
    "tth": PythiaProcess(("HiggsSM:gg2Httbar = on", "HiggsSM:qqbar2Httbar = on", *_HIGGS_TO_BOTTOM)),
    "wh": PythiaProcess(("HiggsSM:ffbar2HW = on", *_HIGGS_TO_BOTTOM)),
}
