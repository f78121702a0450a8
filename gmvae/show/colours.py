"""Colours of clusters that colour-blind people can tell apart."""

from __future__ import annotations

CODES = (
    "0072B2 D55E00 009E73 E69F00 56B4E9 CC79A7 8600F3 AACE79 863D24 614961 9279FF E7C2C2 "
    "553DC2 F31855 49E749 AA0092 9ECEE7 FF7992 AA4918 AA9E3D 497949 F30CC2 F30CF3 796D79 "
    "0C5586 CECE9E E79EC2 86B69E 926192 4992CE 619E61 FF86F3 9255DB 9E24E7 613DAA 617931 "
    "794955 AAB679 79DB61 55553D 619200 55C255 923100 B69ECE FFB600 496131 6D0CCE C231AA "
    "3D866D 496179 92923D F3C249 C2AA3D 6D8692 FF9EAA B66DAA B69286 E76DDB E779FF 49CEFF"
)
PALETTE = tuple(f"#{code}" for code in CODES.split())
"""First the six colours of Okabe and Ito (2008) without black and yellow, which is hard to see on white. Each
further colour has a medium lightness and is as far as possible from all before it. The distance is the
smallest for four kinds of vision: typical, and without red, green or blue cones (Machado et al., 2009). The
first 14 colours are at least 16 apart in CIELAB for each of these, the first 30 at least 11."""


def colour(k: int) -> str:
    """The colour of cluster k. Colours repeat after 60, so they need a number beside them."""
    return PALETTE[k % len(PALETTE)]
