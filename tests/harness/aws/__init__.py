"""A local AWS for the tests: MiniStack, what SAM deploys to it, and a proxy between its functions
and its services."""
