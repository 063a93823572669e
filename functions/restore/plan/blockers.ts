import type { Strategy } from "../journal/journal.ts";
import { BY_SQL, type Remedy } from "./remedies.ts";
import type { Restorable } from "./restorable.ts";
import type { ArchiveNeeds } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { nameOf } from "../../../shared/postgres/sql-text.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";

/** Something that would make the restore fail, found before anything was touched. */
export type Blocker = {
  readonly kind: string;
  readonly detail: string;
  readonly names: readonly string[];
  readonly remedy: string;
};

/** Without a backup (an undo) nothing is loaded, and nothing of an archive can stand in the way. */
type Given = {
  readonly facts: TargetFacts;
  readonly backup: Restorable | undefined;
  /** Whether the caller has said that the backup is another's. */
  readonly fromElsewhere?: boolean | undefined;
};

type Rule = {
  readonly kind: string;
  readonly strategies: readonly Strategy[];
  readonly detail: string;
  readonly remedy: string | Remedy;
  /** What stands in the way, by name; `true` where there is nothing to name. */
  readonly found: (given: Given) => readonly string[] | boolean;
  /** Whether it is the backup that needs it. */
  readonly isNeed?: true;
};

const LOADING: readonly Strategy[] = ["swap", "in-place", "rehearse", "beside"];
/** What is there and what takes its place: a table, its TOAST table, and an index or sequence or two of each. */
const LOCKS_PER_TABLE = 8;
const EXCHANGING: readonly Strategy[] = ["swap", "undo"];

const RULES: readonly Rule[] = [
  {
    kind: "standby",
    strategies: [...LOADING, "undo"],
    detail: "the server is a standby, which can only be read",
    remedy: "let DATABASE_SERVICE_NAME name the primary, or promote the standby",
    found: ({ facts }) => facts.isStandby,
  },
  {
    kind: "rights-missing",
    strategies: ["swap", "undo", "rehearse", "beside"],
    detail: "the role may not create or rename databases",
    remedy: BY_SQL.letCreate,
    found: ({ facts }) => !facts.isSuperuser && !facts.canCreateDatabases,
  },
  {
    kind: "rights-missing",
    strategies: [...EXCHANGING, "in-place"],
    detail: "the role does not own the live database",
    remedy: BY_SQL.letOwn,
    found: ({ facts }) => facts.exists && !facts.isSuperuser && !facts.ownsDatabase,
  },
  {
    kind: "database-missing",
    strategies: ["in-place"],
    detail: "there is no live database",
    remedy: "use the strategy swap, which makes the database anew",
    found: ({ facts }) => !facts.exists,
  },
  {
    kind: "prepared-transactions",
    strategies: [...EXCHANGING, "in-place"],
    detail: "prepared transactions hold the live database",
    remedy: BY_SQL.endPrepared,
    found: ({ facts }) => facts.preparedTransactions,
  },
  {
    kind: "untouchable-sessions",
    strategies: [...EXCHANGING, "in-place"],
    detail: "sessions that this role may not end",
    remedy: BY_SQL.letEndSessions,
    found: ({ facts }) => facts.untouchableSessions,
  },
  {
    kind: "background-workers",
    strategies: [...EXCHANGING, "in-place"],
    detail: "background workers of extensions are in the live database",
    remedy:
      "stop them for the restore as the manual of their extension says, or start the server without its library",
    found: ({ facts }) => facts.backgroundWorkers,
  },
  {
    kind: "active-slots",
    strategies: EXCHANGING,
    detail: "replication slots of the live database are in use",
    remedy: BY_SQL.dropSlots,
    found: ({ facts }) => facts.activeSlots,
  },
  {
    kind: "subscriptions",
    // In place its worker cannot be kept out either, and would go on from a position that the loaded rows are behind.
    strategies: [...EXCHANGING, "in-place"],
    detail: "the live database has subscriptions, whose workers come back",
    remedy: BY_SQL.dropSubscriptions,
    found: ({ facts }) => facts.subscriptions,
  },
  {
    kind: "roles-missing",
    strategies: LOADING,
    detail: "roles that own or may use what the backup holds",
    remedy: BY_SQL.createRoles,
    found: ({ facts }) => facts.missing.roles,
    isNeed: true,
  },
  {
    kind: "extensions-missing",
    strategies: LOADING,
    detail: "extensions that this server does not have",
    remedy: "install their packages on the server",
    found: ({ facts }) => facts.missing.extensions,
    isNeed: true,
  },
  {
    kind: "extensions-forbidden",
    strategies: LOADING,
    detail: "extensions that only a superuser may create",
    remedy: "restore as a superuser",
    found: ({ facts }) => facts.forbiddenExtensions,
    isNeed: true,
  },
  {
    kind: "settings-forbidden",
    strategies: ["swap", "beside"],
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
    strategies: ["swap", "rehearse", "beside"],
    detail: "locales of the database that this server does not have",
    remedy: "install them on the server, or make the database in another locale and restore in place",
    found: ({ facts }) => facts.missingLocales,
  },
  {
    kind: "owner-forbidden",
    strategies: ["swap", "rehearse", "beside"],
    detail: "the owner of the database, for whom this role may not make one",
    remedy: BY_SQL.becomeOwner,
    found: ({ facts }) => facts.forbiddenOwner,
  },
  {
    kind: "tablespaces-missing",
    strategies: LOADING,
    detail: "tablespaces that this server does not have",
    remedy: BY_SQL.createTablespaces,
    found: ({ facts }) => facts.missing.tablespaces,
    isNeed: true,
  },
  {
    kind: "tablespaces-forbidden",
    strategies: LOADING,
    detail: "tablespaces in which this role may not create",
    remedy: BY_SQL.useTablespaces,
    found: ({ facts }) => facts.forbiddenTablespaces,
    isNeed: true,
  },
  {
    kind: "tablespaces-forbidden",
    strategies: ["swap", "rehearse", "beside"],
    detail: "the tablespace of the live database, in which this role may make no other",
    remedy: BY_SQL.useTablespaceOrStay,
    found: ({ facts }) => facts.forbiddenHome,
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
    kind: "large-objects-in-plain",
    strategies: ["in-place"],
    detail: "a file of the old pod commits its large objects by itself, so that not all of it can be undone",
    remedy: "use the strategy swap",
    found: ({ backup }) => backup !== undefined && backup.format !== "custom",
  },
  {
    kind: "too-many-objects",
    strategies: ["in-place"],
    detail: "one transaction cannot lock this many tables with their indexes and sequences",
    remedy: "raise max_locks_per_transaction, or use the strategy swap",
    found: ({ facts, backup }) => {
      const tables = backup?.manifest?.content.tables.length ?? 0;
      return tables * LOCKS_PER_TABLE > facts.lockTableSize ? [`${tables} tables`] : [];
    },
  },
  {
    kind: "name-taken",
    strategies: ["beside"],
    detail: "there is a database of that name",
    remedy: "choose another name",
    found: ({ facts }) => facts.targetTaken,
  },
];

/** Each reason to refuse, by name and with what to do about it; empty when nothing stands in the way. */
export function blockersOf(strategy: Strategy, given: Given): Blocker[] {
  return broken(RULES, strategy, given);
}

/** Those of them that the backup itself is the cause of. */
export function unmetNeeds(strategy: Strategy, given: Given): Blocker[] {
  return broken(
    RULES.filter(({ isNeed }) => isNeed),
    strategy,
    given,
  );
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
          remedy: typeof remedy === "string" ? remedy : remedy(given.facts, names),
          names,
          detail: [rule.detail, ...(names.length === 0 ? [] : [names.join(", ")])].join(": "),
        },
      ];
    });
}

/** What the manifest says that the server must have. */
export function needsOf(backup: Restorable | undefined): ArchiveNeeds {
  const manifest = backup?.manifest;
  const lack = (kind: string) => manifest?.lacks.find((each) => each.kind === kind)?.names ?? [];
  return {
    roles: lack("roles").map(nameOf),
    tablespaces: lack("tablespaces").map(nameOf),
    extensions: manifest?.content.extensions.map(({ name }) => name) ?? [],
  };
}
