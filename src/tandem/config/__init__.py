"""The configuration: every key with its type and rule, and the values that follow from it."""
