/** An extension that CREATE EXTENSION refuses in every database but the one that a setting of the server names. */
type OfOneDatabase = {
  /** Its entries in the list of an archive: itself, what is said of it, and all in the schema that it makes. */
  readonly entries: RegExp;
  readonly setting: string;
};

/**
 * Others that work in one database only, by `pg_net.database_name` or `powa.database`, can be made in any. pg_cron is the
 * one that cannot: https://github.com/citusdata/pg_cron#setting-up-pg_cron
 */
export const OF_ONE_DATABASE: ReadonlyMap<string, OfOneDatabase> = new Map([
  [
    "pg_cron",
    {
      entries: /^(?:EXTENSION - pg_cron$|[A-Z ]+ - (?:EXTENSION pg_cron|SCHEMA cron)(?: |$)|[A-Z ]+ cron )/,
      setting: "cron.database_name",
    },
  ],
]);

/** Their workers, which cannot be kept out of it and only read their own tables. Jobs that they start are sessions to end. */
export const STAYING_WORKERS = ["pg_cron launcher"] as const;

export function oneDatabaseOnly(extensions: readonly string[]): string[] {
  return extensions.filter((name) => OF_ONE_DATABASE.has(name));
}

/** Of the entries of an archive those that belong to such extensions. */
export function entriesOfOneDatabase(entries: readonly string[]): string[] {
  return entries.filter((entry) => [...OF_ONE_DATABASE.values()].some((each) => each.entries.test(entry)));
}
