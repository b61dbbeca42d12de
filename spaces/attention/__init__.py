"""Attention in linear time, measured: Performer (archives/7921) and the even Taylor polynomials of exp (7919)."""
