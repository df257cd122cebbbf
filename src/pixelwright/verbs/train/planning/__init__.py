"""All that is decided before the first step: network, size, variation, machine."""
