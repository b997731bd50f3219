"""One family of exactly evaluated operators per file."""
