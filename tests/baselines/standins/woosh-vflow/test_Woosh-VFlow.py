"""The only script of Woosh VFlow, which has fixed paths: nothing calls it."""
