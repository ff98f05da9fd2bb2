"""The logs that outsiders can check: publisher, what is served of it, witness.

Events and publications are known here as records alone: bytes that are read through a source.
"""
