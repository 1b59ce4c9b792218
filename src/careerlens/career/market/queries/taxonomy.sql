-- Every way to write every skill. Input: none.
-- Output: exact_form is NULL where case does not matter; listed_only marks words that mean the
-- skill only among other skills ("Go", "Excel"); sure marks spellings that mean nothing else.
SELECT aliases.skill, skills.category, aliases.alias, aliases.exact_form, aliases.listed_only,
       aliases.sure
FROM aliases
JOIN skills USING (skill)
ORDER BY aliases.skill, aliases.alias;
