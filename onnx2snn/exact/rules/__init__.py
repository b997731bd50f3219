"""How operators between two quantizers act on integers: one file per family."""
