"""One neuron model per file; importing a file registers its emitter."""
