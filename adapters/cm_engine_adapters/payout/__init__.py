"""Payout gateways: an account with Tremendous, cards by Stripe Issuing, and a payment system of the host's own."""
