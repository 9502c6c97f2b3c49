"""Where sessions are stored: one folder per implementation of `SessionStore`."""
