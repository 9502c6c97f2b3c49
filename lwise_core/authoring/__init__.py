"""From the files that a researcher writes to a compiled study: read, validate and resolve, once.

Start with `compile`. Needs pydantic, PyYAML and markdown-it; never imported by code that serves trials.
"""
