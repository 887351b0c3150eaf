"""Many jobs under one parent, each in a process of its own."""
