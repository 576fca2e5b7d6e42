"""What becomes of an order to start: one attempt from accept to report, and what is kept so that none is forgotten."""
