"""Runs: generate, extract, score, in stages that any kill may interrupt and any rerun completes.

The order of the stages is the order of imports: ``prepare`` and ``plan``, then ``generate``,
``extract``, ``score``, ``aggregate``, ``outcome``; ``run`` carries a plan out.
"""
