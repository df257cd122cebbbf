"""The parts of the data: which samples are sound, kept in memory, how much of each class, and what they are called."""
