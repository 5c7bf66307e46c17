#!/bin/sh
# Temporal's tables: made where there are none, else brought to the version of this image. The databases are there (init.sql).
# SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD are read by temporal-sql-tool itself.
set -eu
tables=/etc/temporal/schema/postgresql/v12

bring_up() {
  temporal-sql-tool --database "$1" setup-schema --version 0.0
  temporal-sql-tool --database "$1" update-schema --schema-dir "$tables/$2/versioned"
}

bring_up temporal temporal
bring_up temporal_visibility visibility
