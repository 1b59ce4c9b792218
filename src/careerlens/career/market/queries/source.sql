-- Where the data came from. Input: none. Output: one row; postings is NULL for estimates.
SELECT name, as_of, postings, statement
FROM source;
