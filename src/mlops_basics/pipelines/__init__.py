"""The pipelines: pure nodes and the order in which they run."""
