-- The first start of Postgres: a role and databases for turnkeep, and for Temporal, neither of which can read the other's.
-- One password for both, from the environment. Run by psql, whose \getenv it needs.
\getenv password POSTGRES_PASSWORD
CREATE ROLE turnkeep LOGIN PASSWORD :'password';
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE turnkeep OWNER turnkeep;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE turnkeep, temporal, temporal_visibility FROM PUBLIC;
