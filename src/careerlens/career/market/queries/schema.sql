-- Tables of the market data, filled once from the CSV files beside this folder.
-- Input: none. Output: none.
CREATE TABLE source (name VARCHAR, as_of VARCHAR, postings INTEGER, statement VARCHAR);
CREATE TABLE roles (
    role VARCHAR PRIMARY KEY, title VARCHAR NOT NULL, family VARCHAR NOT NULL,
    salary_low INTEGER, salary_median INTEGER, salary_high INTEGER, currency VARCHAR
);
CREATE TABLE titles (role VARCHAR NOT NULL, title VARCHAR NOT NULL);
CREATE TABLE skills (skill VARCHAR PRIMARY KEY, category VARCHAR NOT NULL, how_to_learn VARCHAR);
CREATE TABLE aliases (
    skill VARCHAR NOT NULL, alias VARCHAR NOT NULL, exact_form VARCHAR,
    listed_only BOOLEAN NOT NULL, sure BOOLEAN NOT NULL
);
CREATE TABLE demand (
    role VARCHAR NOT NULL, skill VARCHAR NOT NULL,
    demand_percent DOUBLE NOT NULL, salary_uplift_percent DOUBLE
);
