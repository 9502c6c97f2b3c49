"""What runs in a container of a job. All of this folder is uploaded with every job; it imports no AWS SDK."""
