"""From what a researcher writes to a compiled study: read, check, resolve, once and before data collection.

`compile` is the way in. Needs pydantic, PyYAML and markdown-it; never imported by what serves trials.
"""
