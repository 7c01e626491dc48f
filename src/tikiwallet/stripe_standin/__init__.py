"""A stand-in for Stripe on this machine: so that every flow of money in and out is real but for the money."""
