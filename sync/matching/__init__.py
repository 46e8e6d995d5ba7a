"""Match models in a project: versions, training, evaluation, and engines for full rebuilds."""
