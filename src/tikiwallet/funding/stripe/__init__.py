"""Stripe as a provider: cards come in by Checkout and payment intents, money goes out by Connect."""
