"""What the end-to-end tests stand on: a real broker, producers that know what they sent, the
binary under test, and readers of what it wrote that share no code with it."""
