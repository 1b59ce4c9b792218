-- What a role's postings ask for, most wanted first. Input: $role, its id.
-- Output: demand and salary uplift in percent; uplift and how_to_learn may be NULL.
SELECT demand.skill, skills.category, demand.demand_percent, demand.salary_uplift_percent,
       skills.how_to_learn
FROM demand
JOIN skills USING (skill)
WHERE demand.role = $role
ORDER BY demand.demand_percent DESC, demand.skill;
