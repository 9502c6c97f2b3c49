"""Generated stand-ins for what a study needs: pictures to tell apart and learners who try."""
