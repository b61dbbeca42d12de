"""Gradients in RNNs (archives/7888): how far back they reach, and through which gates."""
