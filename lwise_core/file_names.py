"""Names of files and folders that several rooms read or write."""

from __future__ import annotations

NATURAL = "natural"
"""The variant with the images as they are."""
DIRMAP_FILE = "dirmap.csv"
PROVENANCE_FILE = "provenance.json"
SKIPPED_FILE = "skipped.csv"
