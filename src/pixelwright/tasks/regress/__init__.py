"""Numbers that belong to whole pictures: ages, angles, counts."""
