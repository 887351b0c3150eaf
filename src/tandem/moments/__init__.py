"""The sums of a linear regression with categories, and what adds them."""
