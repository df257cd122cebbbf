"""The samples of a training: which are sound, kept in memory, how much of each class, and whether they changed."""
