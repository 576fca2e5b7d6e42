"""Use cases. They know nothing of HTTP, take what they need in their constructors, and call the store once where they can."""
