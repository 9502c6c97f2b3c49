"""Model files: native ones, and third-party checkpoints to convert."""
