"""Rules over many: pure functions from all nodes to findings, one module per subject."""
