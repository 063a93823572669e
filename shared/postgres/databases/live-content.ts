import type pg from "pg";
import { queryNames } from "../session/ask-server.ts";
import type { TargetFacts } from "../properties/target-facts.ts";

/** What the database itself says of what it holds, to a role that may connect. */
export async function liveContent(
  client: pg.Client,
): Promise<
  Pick<
    TargetFacts,
    "eventTriggersOfOthers" | "undroppable" | "liveLargeObjects" | "liveObjects" | "missingLanguage"
  >
> {
  return {
    missingLanguage: await queryNames(client, MISSING_LANGUAGE),
    eventTriggersOfOthers: await queryNames(client, EVENT_TRIGGERS_OF_OTHERS),
    undroppable: await queryNames(client, UNDROPPABLE),
    ...(await countObjects(client)),
  };
}

/** Of what is wiped and counted in one statement. */
const MISSING_LANGUAGE = `
  SELECT name FROM (VALUES ('plpgsql')) needed (name) WHERE NOT EXISTS (
    SELECT FROM pg_language WHERE lanname = name AND has_language_privilege(oid, 'USAGE'))`;

/** They fire for whatever this role makes or drops. */
const EVENT_TRIGGERS_OF_OTHERS = `
  SELECT evtname::text AS name FROM pg_event_trigger
  WHERE evtenabled IN ('O', 'A') AND NOT pg_has_role(evtowner, 'USAGE') ORDER BY name`;

/** What is wiped by name and asks for its owner; what lies in a schema goes with that. */
const UNDROPPABLE = `
  SELECT format('SCHEMA %I of %I', nspname, pg_get_userbyid(nspowner)) AS name FROM pg_namespace n
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT pg_has_role(nspowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'
          AND pg_has_role(e.extowner, 'USAGE'))
  UNION ALL SELECT format('PUBLICATION %I of %I', pubname, pg_get_userbyid(pubowner)) FROM pg_publication
    WHERE NOT pg_has_role(pubowner, 'USAGE')
  UNION ALL SELECT format('default privileges of %I', pg_get_userbyid(defaclrole)) FROM pg_default_acl
    WHERE NOT pg_has_role(defaclrole, 'USAGE') GROUP BY defaclrole
  UNION ALL SELECT format('%s large objects of %I', count(*), pg_get_userbyid(lomowner))
    FROM pg_largeobject_metadata WHERE NOT pg_has_role(lomowner, 'USAGE') GROUP BY lomowner
  ORDER BY name`;

/** What is dropped is locked, each by itself: also the constraints, defaults, triggers, policies and types of a table. */
const LOCKED_BY_DROP = `pg_class pg_type pg_constraint pg_attrdef pg_trigger pg_rewrite pg_policy pg_proc pg_operator pg_opclass
  pg_opfamily pg_amop pg_amproc pg_cast pg_collation pg_conversion pg_ts_config pg_ts_dict pg_statistic_ext pg_namespace`;
const COUNTED = `
  SELECT (SELECT count(*) FROM pg_largeobject_metadata)::int AS "liveLargeObjects",
    (${LOCKED_BY_DROP.split(/\s+/)
      .map((catalog) => `(SELECT count(*) FROM ${catalog} WHERE oid >= 16384)`)
      .join(" + ")})::int AS "liveObjects"`;

async function countObjects(client: pg.Client) {
  const { rows } = await client.query<Pick<TargetFacts, "liveLargeObjects" | "liveObjects">>(COUNTED);
  return rows[0] ?? { liveLargeObjects: 0, liveObjects: 0 };
}
