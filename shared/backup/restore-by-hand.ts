import type { ArchiveName } from "./archive-name.ts";

/**
 * A command line that restores an archive into a new database with PostgreSQL's own tools, for a shell that stands in
 * BACKUP_DIR; the connection comes from the PG* variables. It stops at the first error. An encrypted archive is opened
 * by the program `age` with the key in AGE_IDENTITY_FILE.
 */
export function restoreByHand(name: ArchiveName, database: string, isEncrypted = false): string {
  const target = `${database.slice(0, 40)}_restored`;
  // A bare name is taken for a connection string when it looks like one.
  const isPlain = /^\w+$/.test(target);
  const conninfo = isPlain ? target : `dbname='${target.replace(/[\\']/g, "\\$&")}'`;
  const create = `createdb --template=template0 -- ${shellQuote(target)}`;
  const restore = `pg_restore --exit-on-error --dbname=${shellQuote(conninfo)}`;
  if (!isEncrypted) return `${create} && ${restore} ${shellQuote(name)}`;
  return `${create} && age --decrypt --identity "$AGE_IDENTITY_FILE" ${shellQuote(name)} | ${restore}`;
}

/** POSIX: nothing is special between single quotes but the quote itself. */
function shellQuote(text: string): string {
  return /^[\w./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
