"""What a network answers to a part of the data, in every runtime, through the steps its bundle will have."""
