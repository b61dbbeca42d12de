"""A GPT that plays Chinese chess (archives/7877), and one that sees the board."""
