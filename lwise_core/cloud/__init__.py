"""Deployed studies, seen from a researcher's machine: where they are, and their sessions."""
