"""Model files: the project's own, and those of others that become one."""
