-- One role. Input: $role, its id. Output: at most one row.
SELECT role, title, family, salary_low, salary_median, salary_high, currency
FROM roles
WHERE role = $role;
