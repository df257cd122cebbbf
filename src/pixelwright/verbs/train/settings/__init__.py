"""What a training is told: its configuration, recipes, licenses, and what is wrong with them in words."""
