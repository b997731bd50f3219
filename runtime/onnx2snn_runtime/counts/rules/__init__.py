"""What becomes of each op in the counting form: one family per file, found by importing them."""
