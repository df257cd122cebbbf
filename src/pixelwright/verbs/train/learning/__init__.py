"""From the first step to the last: batches, steps, validations, checkpoints, and the folder that keeps them."""
