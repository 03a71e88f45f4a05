"""The computation: network, backward pass, training loop, data, curves. No file is read or written but machine code."""
