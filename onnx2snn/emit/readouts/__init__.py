"""One readout per file; importing a file registers it."""
