"""One encoding per file; importing a file registers it."""
