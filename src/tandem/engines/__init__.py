"""What reads the rows and produces held-out error sums and the refit model."""
