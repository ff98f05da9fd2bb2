"""Measurements: ratios against a limit that is measured in the same run, never a time alone."""
