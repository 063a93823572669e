import {
  CHANGING_LIVE,
  LOADING,
  LOADING_BESIDE,
  REPLACING,
  STRATEGIES,
  strategiesThat,
  SWAPPING,
  type Strategy,
} from "./strategy.ts";
import { BY_SQL } from "./remedies.ts";
import type { Restorable } from "./restorable.ts";
import { type Given, type Rule } from "./blocker-rule.ts";
import { IN_PLACE_RULES } from "./in-place-blockers.ts";
import { NEED_RULES } from "./need-blockers.ts";
import { ONE_DATABASE_RULES } from "./one-database-blocker.ts";
import type { ArchiveNeeds } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { STAYING_WORKERS } from "../../../shared/postgres/properties/one-database.ts";
import { unquote } from "../../../shared/postgres/sql-text.ts";

/** Something that would make the restore fail, found before anything was touched. */
export type Blocker = {
  readonly kind: string;
  readonly detail: string;
  readonly names: readonly string[];
  readonly remedy: string;
};

const WORKERS = "background workers of extensions are in the live database";
const STOP_WORKERS =
  "stop them for the restore as the manual of their extension says, or start the server without its library";
const mayStay = (worker: string) => STAYING_WORKERS.some((kind) => worker.startsWith(`${kind} `));

export const RULES: readonly Rule[] = [
  {
    kind: "standby",
    strategies: STRATEGIES,
    detail: "the server is a standby, which can only be read",
    remedy: "let DATABASE_SERVICE_NAME name the primary, or promote the standby",
    found: ({ facts }) => facts.isStandby,
  },
  {
    kind: "commits-waiting",
    strategies: STRATEGIES,
    detail: "each commit waits for a synchronous standby, and none is connected",
    remedy:
      "start the standby that synchronous_standby_names names, or ALTER SYSTEM SET synchronous_standby_names = '' and SELECT pg_reload_conf()",
    found: ({ facts }) => facts.commitsWait,
  },
  {
    kind: "connection-refused",
    strategies: LOADING_BESIDE,
    detail: "the server would not let this role into the database that is made",
    remedy: BY_SQL.letIn,
    found: ({ facts }) => facts.refusedBeside,
  },
  {
    kind: "rights-missing",
    strategies: strategiesThat(({ replaces }) => !replaces),
    detail: "the role may not create or rename databases",
    remedy: BY_SQL.letCreate,
    found: ({ facts }) => !facts.isSuperuser && !facts.canCreateDatabases,
  },
  {
    kind: "rights-missing",
    strategies: CHANGING_LIVE,
    detail: "the role does not own the live database",
    remedy: BY_SQL.letOwn,
    found: ({ facts }) => facts.exists && !facts.isSuperuser && !facts.ownsDatabase,
  },
  {
    kind: "database-missing",
    strategies: REPLACING,
    detail: "there is no live database",
    remedy: "use the strategy swap, which makes the database anew",
    found: ({ facts }) => !facts.exists,
  },
  {
    kind: "database-invalid",
    strategies: CHANGING_LIVE,
    detail: "the live database is what an interrupted DROP DATABASE has left of it",
    remedy: BY_SQL.dropInvalid,
    found: ({ facts }) => facts.isInvalid,
  },
  {
    kind: "prepared-transactions",
    strategies: CHANGING_LIVE,
    detail: "prepared transactions hold the live database",
    remedy: BY_SQL.endPrepared,
    found: ({ facts }) => facts.preparedTransactions,
  },
  {
    kind: "untouchable-sessions",
    strategies: CHANGING_LIVE,
    detail: "sessions that this role may not end",
    remedy: BY_SQL.letEndSessions,
    found: ({ facts }) => facts.untouchableSessions,
  },
  {
    kind: "background-workers",
    strategies: SWAPPING,
    detail: WORKERS,
    remedy: (_facts, names) =>
      names.every(mayStay)
        ? "use the strategy in-place, in which they may stay; or start the server without their library"
        : STOP_WORKERS,
    found: ({ facts }) => facts.backgroundWorkers,
  },
  {
    kind: "background-workers",
    strategies: REPLACING,
    detail: WORKERS,
    remedy: STOP_WORKERS,
    found: ({ facts }) => facts.backgroundWorkers.filter((name) => !mayStay(name)),
  },
  {
    kind: "active-slots",
    strategies: SWAPPING,
    detail: "replication slots of the live database are in use",
    remedy: BY_SQL.dropSlots,
    found: ({ facts }) => facts.activeSlots,
  },
  {
    kind: "subscriptions",
    // In place its worker cannot be kept out either, and would go on from a position that the loaded rows are behind.
    strategies: CHANGING_LIVE,
    detail: "the live database has subscriptions, whose workers come back",
    remedy: BY_SQL.dropSubscriptions,
    found: ({ facts }) => facts.subscriptions,
  },
  {
    kind: "settings-forbidden",
    strategies: strategiesThat(({ loads, drops }) => loads !== undefined && !drops),
    detail: "settings of the database that this role may not give to another",
    remedy: "restore as a superuser, use the strategy in-place, or ALTER DATABASE ... RESET them",
    found: ({ facts }) => facts.forbiddenSettings,
  },
  {
    kind: "settings-impossible",
    strategies: LOADING,
    detail: "settings under which the backup was written, which this server cannot take",
    remedy:
      "install the locale or time zone file on the server; by hand it can be loaded under other settings, which reads other values",
    found: ({ facts }) => facts.impossibleSettings,
  },
  {
    kind: "locales-missing",
    strategies: LOADING_BESIDE,
    detail: "locales of the database that this server does not have",
    remedy: "install them on the server, or make the database in another locale and restore in place",
    found: ({ facts }) => facts.missingLocales,
  },
  {
    kind: "owner-forbidden",
    strategies: LOADING_BESIDE,
    detail: "the owner of the database, which this role may not make one for",
    remedy: BY_SQL.becomeOwner,
    found: ({ facts }) => facts.forbiddenOwner,
  },
  {
    kind: "tablespaces-forbidden",
    strategies: LOADING_BESIDE,
    detail: "the tablespace of the live database, in which this role may make no other",
    remedy: BY_SQL.useTablespaceOrStay,
    found: ({ facts }) => facts.tablespaceNotCreatable,
  },
  {
    kind: "server-too-old",
    strategies: LOADING,
    detail: "the backup comes from a newer server",
    remedy: "restore to a server of the backup's major version or newer",
    found: ({ facts, backup }) => {
      const from = backup?.manifest?.versions.server ?? "0";
      return Number.parseInt(from, 10) > facts.serverMajor ? [`${from} > ${facts.serverVersion}`] : [];
    },
  },
  {
    kind: "from-elsewhere",
    strategies: LOADING,
    detail: "the backup is of another server or namespace",
    remedy: 'look at its origin, and send "fromElsewhere": true if it is the one that you mean',
    found: ({ backup, fromElsewhere }) =>
      backup?.elsewhere === undefined || fromElsewhere === true ? [] : [backup.elsewhere],
  },
  {
    kind: "name-taken",
    strategies: strategiesThat(({ loads, drops, swaps }) => loads !== undefined && !drops && !swaps),
    detail: "there is a database of that name",
    remedy: "choose another name",
    found: ({ facts }) => facts.targetTaken,
  },
  ...IN_PLACE_RULES,
  ...NEED_RULES,
  ...ONE_DATABASE_RULES,
];

/** Each reason to refuse, by name and with what to do about it; empty when nothing stands in the way. */
export function findBlockers(strategy: Strategy, given: Given): Blocker[] {
  return broken(RULES, strategy, given);
}

/** Those of them that the backup itself is the cause of. */
export function unmetNeeds(strategy: Strategy, given: Given): Blocker[] {
  return broken([...NEED_RULES, ...ONE_DATABASE_RULES], strategy, given);
}

function broken(rules: readonly Rule[], strategy: Strategy, given: Given): Blocker[] {
  return rules
    .filter(({ strategies }) => strategies.includes(strategy))
    .flatMap((rule) => {
      const found = rule.found(given);
      const names = typeof found === "boolean" ? [] : found;
      if (found === false || (found !== true && names.length === 0)) return [];
      const { kind, remedy } = rule;
      return [
        {
          kind,
          remedy: typeof remedy === "string" ? remedy : remedy(given.facts, names, given),
          names,
          detail: [rule.detail, ...(names.length === 0 ? [] : [names.join(", ")])].join(": "),
        },
      ];
    });
}

/** What the manifest says that the server must have. */
export function findNeeds(backup: Restorable | undefined): ArchiveNeeds {
  const manifest = backup?.manifest;
  const lack = (kind: string) => manifest?.lacks.find((each) => each.kind === kind)?.names ?? [];
  return {
    roles: lack("roles").map(unquote),
    tablespaces: lack("tablespaces").map(unquote),
    extensions: manifest?.content.extensions.map(({ name }) => name) ?? [],
  };
}
