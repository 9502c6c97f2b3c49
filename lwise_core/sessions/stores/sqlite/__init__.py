"""`SessionStore` in one SQLite file: the server on one machine."""
