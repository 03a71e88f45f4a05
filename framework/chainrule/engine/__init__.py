"""Numbers: the network, the backward pass, the training loop, data and curves. Neither reads nor writes a file."""
