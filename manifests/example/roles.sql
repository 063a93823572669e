-- Run once, when the server makes its data. The application's role owns the database and is no superuser, as it should be.
CREATE ROLE hets LOGIN PASSWORD 'example';
ALTER DATABASE hets OWNER TO hets;

-- The roles of Dormouse, as docs/roles.md explains them.
CREATE ROLE dormouse_backup LOGIN PASSWORD 'example';
GRANT pg_read_all_data TO dormouse_backup;

CREATE ROLE dormouse_restore LOGIN CREATEDB PASSWORD 'example';
GRANT hets TO dormouse_restore;

GRANT CONNECT ON DATABASE hets, postgres TO dormouse_backup, dormouse_restore;
