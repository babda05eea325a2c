"""The networks of the mini judges, one per file, with their front ends and classes."""
