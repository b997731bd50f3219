"""One family of operators per file."""
