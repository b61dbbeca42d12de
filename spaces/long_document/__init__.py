"""Positions decomposed hierarchically (archives/7947): BERT reads 262,144 tokens."""
