"""The cases that `caseflow demo` loads, as reported in the press up to 10 February 2026."""
