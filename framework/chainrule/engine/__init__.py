"""The computation: network, backward pass, training loop, data and curves. Nothing here reads or writes a file."""
