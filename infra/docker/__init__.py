"""What runs once in containers: the first rows of a deployment, its logins, and the health check of an image."""
