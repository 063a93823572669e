import type { ArchiveName } from "./archive-name.ts";
import type { DatabaseProperties, Settings } from "../postgres/properties/database-properties.ts";
import { creationSql, finishingSql, settingsSql } from "../postgres/properties/database-sql.ts";
import { missingRolesSql } from "../postgres/roles/role-sql.ts";
import type { ServerRole } from "../postgres/roles/server-role.ts";
import { carried, pgOptions } from "../postgres/properties/session-settings.ts";
import type { ArchiveFormat } from "../postgres/archive-format.ts";
import { shellQuote } from "../shell-quote.ts";

type Given = {
  readonly format: ArchiveFormat | "encrypted";
  /** Without them, as for a file of the old pod, the database has the defaults of the server. */
  readonly properties?: DatabaseProperties;
  /** Those that are not there are made first, without a password. */
  readonly roles?: readonly ServerRole[];
  readonly settings?: Settings;
  /** Of the script, where the roles of a server follow, which are not to be made by it. */
  readonly loadedBytes?: number | undefined;
};

/** Where new databases lie unless template0 was moved. */
const HOME = "pg_default";
const PSQL = "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1";

/**
 * A command line that restores an archive into a new database with PostgreSQL's own tools, for a shell that stands in
 * BACKUP_DIR; the connection comes from the PG* variables. It stops at the first error. An encrypted archive is opened
 * by the program `age` with the key in AGE_IDENTITY_FILE.
 */
export function restoreByHand(name: ArchiveName, database: string, given: Given): string {
  const target = `${database.slice(0, 40)}_restored`;
  const { format, properties, settings, roles = [], loadedBytes } = given;
  const archive = shellQuote(name);
  const steps = [
    // psql takes the end of its input as the end of a table: a file cut short must not get that far. By `<`, since gzip asks
    // for a suffix.
    ...(format === "gzip-sql" ? [`gzip -t < ${archive}`] : []),
    creation(target, properties, roles),
    // From inside, where the server keeps their text in the encoding in which its sessions read it.
    ...(properties === undefined ? [] : statements(settingsSql(target, properties), intoDatabase(target))),
    loading(format, archive, { target, settings, encoding: properties?.encoding, loadedBytes }),
    ...(properties === undefined ? [] : statements(finishingSql(target, properties), intoDatabase(target))),
  ];
  return steps.join(" && ");
}

function creation(
  target: string,
  properties: DatabaseProperties | undefined,
  roles: readonly ServerRole[],
): string {
  if (properties === undefined) return `createdb --template=template0 -- ${shellQuote(target)}`;
  const missingRoles = missingRolesSql(roles);
  return statements([
    ...(missingRoles === undefined ? [] : [missingRoles]),
    creationSql(target, properties, HOME),
  ]).join("");
}

/** They are in UTF-8, as the manifest is, whatever the shell has, and the settings of the database are in force by then. */
function statements(all: readonly string[], into = "--dbname=postgres"): string[] {
  if (all.length === 0) return [];
  const commands = all.map((sql) => `--command=${shellQuote(sql)}`).join(" ");
  return [`${under(OF_LOADING)}PGCLIENTENCODING=UTF8 ${PSQL} ${into} ${commands}`];
}

/** What the operator has set comes first: a role's limits of time, for one. */
function under(settings: Settings): string {
  return `PGOPTIONS="\${PGOPTIONS-} "${shellQuote(pgOptions(settings))} `;
}

/** A bare name is taken for a connection string when it looks like one. */
function intoDatabase(name: string): string {
  const conninfo = /^\w+$/.test(name) ? name : `dbname='${name.replace(/[\\']/g, "\\$&")}'`;
  return `--dbname=${shellQuote(conninfo)}`;
}

type Into = Pick<Given, "loadedBytes"> & {
  readonly target: string;
  readonly settings: Settings | undefined;
  readonly encoding: string | undefined;
};

/** What those sessions need besides, which the database or the role may have otherwise. */
const OF_LOADING = { array_nulls: "on", default_transaction_read_only: "off", role: "none" };

/** Values are read under the settings under which they were written. */
function loading(
  format: Given["format"],
  archive: string,
  { target, settings, encoding, loadedBytes }: Into,
): string {
  const into = intoDatabase(target);
  const given = settings === undefined ? "" : under({ ...carried(settings, encoding), ...OF_LOADING });
  switch (format) {
    case "custom":
      return `${given}pg_restore --exit-on-error ${into} ${archive}`;
    case "encrypted":
      return `age --decrypt --identity "$AGE_IDENTITY_FILE" ${archive} | ${given}pg_restore --exit-on-error ${into}`;
    case "gzip-sql":
      return `gzip -dc < ${archive} | ${loadedBytes === undefined ? "" : `head -c ${loadedBytes} | `}${given}${PSQL} ${into}`;
    case "plain-sql":
      return loadedBytes === undefined
        ? `${given}${PSQL} ${into} --file=${archive}`
        : `head -c ${loadedBytes} -- ${archive} | ${given}${PSQL} ${into}`;
  }
}
