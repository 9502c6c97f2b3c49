"""The one-machine server: the participant's page, the pictures and the session service behind one origin."""
