-- Every title that postings use, with the role it belongs to. Input: none.
SELECT role, title
FROM titles
ORDER BY role, title;
