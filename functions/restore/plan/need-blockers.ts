import { isReadable, listRoles } from "../../../shared/postgres/properties/database-properties.ts";
import { LOADING, LOADING_BESIDE, strategiesThat } from "./strategy.ts";
import type { Rule } from "./blocker-rule.ts";
import { BY_SQL } from "./remedies.ts";

/** What the backup itself needs of the server and of the role. */
export const NEED_RULES: readonly Rule[] = [
  {
    kind: "connections-few",
    strategies: LOADING_BESIDE,
    detail: "the CONNECTION LIMIT of the role, below the lock and the sessions that load at once",
    remedy: BY_SQL.letConnect,
    // A file of SQL is loaded by one.
    found: ({ facts: { roleConnectionLimit: limit, loadSessions }, backup }) =>
      backup?.format === "custom" && limit >= 0 && limit < loadSessions + 1 ? [`${limit}`] : [],
  },
  {
    kind: "too-many-connections",
    // A rehearsal loads with REHEARSAL_JOBS.
    strategies: strategiesThat(({ loads, drops }) => loads !== undefined && !drops),
    detail: "connections that are free now, by max_connections and the role's CONNECTION LIMIT",
    remedy: BY_SQL.freeConnections,
    found: ({ facts: { roleConnectionLimit: limit, freeConnections: free, loadSessions }, backup }) => {
      const isReportedAbove = limit >= 0 && limit < loadSessions + 1;
      return backup?.format === "custom" && !isReportedAbove && free < loadSessions ? [`${free}`] : [];
    },
  },
  {
    kind: "roles-missing",
    strategies: LOADING,
    detail: "roles that own or may use what the backup holds",
    remedy: BY_SQL.createRoles,
    found: ({ facts, choice }) => {
      if (choice?.createRoles !== true || !facts.mayCreateRoles) return facts.missing.roles;
      const made = new Set(facts.rolesToMake.map(({ name }) => name));
      return facts.missing.roles.filter((name) => !made.has(name));
    },
  },
  {
    kind: "roles-unreadable",
    strategies: LOADING_BESIDE,
    detail: "roles that own or may use the database, whose names are no text in the maintenance database",
    remedy:
      "ALTER ROLE ... RENAME TO a name in ASCII, from a session in which the name is text, and take another backup",
    found: ({ facts: { live }, backup }) => {
      const like = live ?? backup?.manifest?.properties;
      return like === undefined ? [] : listRoles(like).filter((name) => !isReadable(name));
    },
  },
  {
    kind: "extensions-missing",
    strategies: LOADING,
    detail: "extensions that this server does not have",
    remedy: "install their packages on the server",
    found: ({ facts }) => facts.missing.extensions,
  },
  {
    kind: "extensions-forbidden",
    strategies: LOADING,
    detail: "extensions that only a superuser may create",
    remedy: "restore as a superuser",
    found: ({ facts }) => facts.forbiddenExtensions,
  },
  {
    kind: "collations-missing",
    strategies: LOADING,
    detail: "collations whose locale this server does not have",
    remedy:
      "install the locale on the server and restart it; for those of pg_catalog a superuser then runs SELECT pg_import_system_collations('pg_catalog') in template0 (ALLOW_CONNECTIONS true, then false again), the live and the maintenance database; or restore to a server that has them",
    found: ({ facts }) => facts.missingCollations,
  },
  {
    kind: "tablespaces-missing",
    strategies: LOADING,
    detail: "tablespaces that this server does not have",
    remedy: BY_SQL.createTablespaces,
    found: ({ facts }) => facts.missing.tablespaces,
  },
  {
    kind: "tablespaces-forbidden",
    strategies: LOADING,
    detail: "tablespaces in which this role may not create",
    remedy: BY_SQL.useTablespaces,
    found: ({ facts }) => facts.forbiddenTablespaces,
  },
  {
    kind: "owners-forbidden",
    strategies: LOADING,
    detail: "what belongs to roles that this role may not stand for",
    remedy: BY_SQL.standForOwners,
    found: ({ facts }) => facts.forbidden.owners,
  },
  {
    kind: "objects-forbidden",
    strategies: LOADING,
    detail: "what only a superuser may make",
    remedy:
      'restore as a superuser, or name their entries in "leaveOut", as pg_restore --list writes them: docs/restore-by-hand.md',
    found: ({ facts }) => facts.forbidden.kinds,
  },
  {
    kind: "function-settings-forbidden",
    strategies: LOADING,
    detail: "functions with settings that this role may not set",
    remedy: "GRANT SET ON PARAMETER ... to the role (from 15 on), or restore as a superuser",
    found: ({ facts }) => facts.forbidden.functionSettings,
  },
  {
    kind: "choice-impossible",
    strategies: LOADING,
    detail:
      "a file of SQL is loaded as it is: owner and leaveOut are for archives of pg_dump's custom format",
    remedy: "restore it without them, or by hand: docs/restore-by-hand.md",
    found: ({ backup, choice: { owner, leaveOut } = {} }) =>
      backup !== undefined && backup.format !== "custom" && (owner !== undefined || leaveOut !== undefined),
  },
  {
    kind: "entries-unknown",
    strategies: LOADING,
    detail: "entries to leave out that the archive does not have",
    remedy: "write them as pg_restore --list does, all that stands behind the three numbers",
    found: ({ demands }) => demands?.unknownEntries ?? [],
  },
];
