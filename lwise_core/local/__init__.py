"""The one-machine server: the participant's page, the images and the session service on one origin."""
