/**
 * All that a database holds but what belongs to the server. Event triggers go before whatever they might forbid to drop,
 * then extensions, since some have schemas of their own, which only go with them; those of other owners go with the
 * schema that they lie in. The schema public comes back as a new database has it, since a dump says of it only what is
 * different, before 15 with the owner that it had, which no dump has; default privileges do as well, or what is loaded would have grants that the backup has not. What lies in no
 * schema goes where the role may drop it: in the way it is only of a backup that has it, too.
 */
export const WIPE = `
DO $wipe$
DECLARE item record;
  old_owner text := (SELECT quote_ident(pg_get_userbyid(nspowner)) FROM pg_namespace WHERE nspname = 'public');
BEGIN
  FOR item IN SELECT evtname FROM pg_event_trigger e WHERE pg_has_role(evtowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass AND objid = e.oid
        AND deptype = 'e') LOOP
    EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I', item.evtname);
  END LOOP;
  FOR item IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' AND pg_has_role(extowner, 'USAGE') LOOP
    EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', item.extname);
  END LOOP;
  FOR item IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', item.nspname);
  END LOOP;
  FOR item IN SELECT format('CAST (%s AS %s)', c.castsource::regtype, c.casttarget::regtype) AS what
      FROM pg_cast c JOIN pg_type source ON source.oid = castsource JOIN pg_type target ON target.oid = casttarget
      WHERE c.oid >= 16384 AND (pg_has_role(source.typowner, 'USAGE') OR pg_has_role(target.typowner, 'USAGE'))
    UNION ALL SELECT format('TRANSFORM FOR %s LANGUAGE %I', trftype::regtype, lanname)
      FROM pg_transform t JOIN pg_type y ON y.oid = trftype JOIN pg_language l ON l.oid = trflang
      WHERE t.oid >= 16384 AND pg_has_role(typowner, 'USAGE')
    UNION ALL SELECT format('SERVER %I', srvname) FROM pg_foreign_server
      WHERE oid >= 16384 AND pg_has_role(srvowner, 'USAGE')
    UNION ALL SELECT format('FOREIGN DATA WRAPPER %I', fdwname) FROM pg_foreign_data_wrapper
      WHERE oid >= 16384 AND pg_has_role(fdwowner, 'USAGE')
    UNION ALL SELECT format('ACCESS METHOD %I', amname) FROM pg_am
      WHERE oid >= 16384 AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  LOOP
    EXECUTE format('DROP %s CASCADE', item.what);
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
  FOR item IN SELECT pubname FROM pg_publication LOOP
    EXECUTE format('DROP PUBLICATION %I', item.pubname);
  END LOOP;
  FOR item IN SELECT quote_ident(pg_get_userbyid(defaclrole)) AS owner, (ARRAY['TABLES', 'SEQUENCES', 'FUNCTIONS',
      'TYPES', 'SCHEMAS', 'LARGE OBJECTS'])[strpos('rSfTnL', defaclobjtype::text)] AS kind,
      (SELECT string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, ', ')
        FROM aclexplode(defaclacl)) AS grantees
    FROM pg_default_acl LOOP
    IF item.grantees IS NOT NULL THEN
      EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE ALL ON %s FROM %s', item.owner, item.kind, item.grantees);
    END IF;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT ALL ON %s TO %1$s', item.owner, item.kind);
    IF item.kind IN ('FUNCTIONS', 'TYPES') THEN
      EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT ALL ON %s TO PUBLIC', item.owner, item.kind);
    END IF;
  END LOOP;
  CREATE SCHEMA public;
  COMMENT ON SCHEMA public IS 'standard public schema';
  IF current_setting('server_version_num')::int >= 150000 THEN
    ALTER SCHEMA public OWNER TO pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
  ELSE
    GRANT ALL ON SCHEMA public TO PUBLIC;
    IF old_owner IS NOT NULL THEN
      EXECUTE 'ALTER SCHEMA public OWNER TO ' || old_owner;
    END IF;
  END IF;
END $wipe$;
`;
