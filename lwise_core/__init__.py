"""All domain logic of lwise, importable without AWS."""

__version__ = "0.1.0"
