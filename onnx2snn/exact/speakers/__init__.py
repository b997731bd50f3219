"""One kind of speaking neurons per file; importing a file registers it."""
