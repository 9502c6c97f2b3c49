"""The function behind `api/*` of a deployed study."""
