import type { ArchiveName } from "./archive-name.ts";
import type { ArchiveFormat } from "./manifest.ts";

/**
 * A command line that restores an archive into a new database with PostgreSQL's own tools, for a shell that stands in
 * BACKUP_DIR; the connection comes from the PG* variables. It stops at the first error. An encrypted archive is opened
 * by the program `age` with the key in AGE_IDENTITY_FILE.
 */
export function restoreByHand(
  name: ArchiveName,
  database: string,
  format: ArchiveFormat | "encrypted" = "custom",
): string {
  const target = `${database.slice(0, 40)}_restored`;
  // A bare name is taken for a connection string when it looks like one.
  const isPlain = /^\w+$/.test(target);
  const conninfo = isPlain ? target : `dbname='${target.replace(/[\\']/g, "\\$&")}'`;
  const create = `createdb --template=template0 -- ${shellQuote(target)}`;
  const [into, archive] = [`--dbname=${shellQuote(conninfo)}`, shellQuote(name)];
  const psql = `psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 ${into}`;
  switch (format) {
    case "custom":
      return `${create} && pg_restore --exit-on-error ${into} ${archive}`;
    case "encrypted":
      return `${create} && age --decrypt --identity "$AGE_IDENTITY_FILE" ${archive} | pg_restore --exit-on-error ${into}`;
    case "gzip-sql":
      // psql takes the end of its input as the end of a table: a file cut short must not get that far. By `<`, since
      // gzip asks for a suffix.
      return `gzip -t < ${archive} && ${create} && gzip -dc < ${archive} | ${psql}`;
    case "plain-sql":
      return `${create} && ${psql} --file=${archive}`;
  }
}

/** POSIX: nothing is special between single quotes but the quote itself. */
function shellQuote(text: string): string {
  return /^[\w./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
