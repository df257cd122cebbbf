"""What verbs make pages of: markup, charts, and one skeleton that needs nothing from outside."""
