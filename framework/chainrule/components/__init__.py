"""What plugins provide: the contracts, typed parameters, and how runs share a component in a stack."""
