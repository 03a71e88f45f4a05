"""Training steps as machine code: formulas in NumPy are recorded once, and compiled with the bits that NumPy gives."""
