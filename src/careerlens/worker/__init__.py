"""The runtime that takes jobs from a queue and finishes them."""
