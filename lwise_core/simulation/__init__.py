"""Generated stand-ins for what a study needs: images to tell apart and learners who try."""
