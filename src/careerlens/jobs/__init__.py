"""What a job is: definitions, ids, ownership, status, and the manager that keeps them."""
