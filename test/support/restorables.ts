import { roleSql } from "../../shared/postgres/roles/role-sql.ts";
import { plainRole } from "../../shared/postgres/roles/server-role.ts";
import { NOTHING_FORBIDDEN } from "../../shared/postgres/properties/forbidden-kinds.ts";
import type { TargetFacts } from "../../shared/postgres/properties/target-facts.ts";
import { findRestorable, type Restorable } from "../../functions/restore/plan/restorable.ts";
import { parseArchiveName } from "../../shared/catalog/archive-name.ts";
import type { CatalogListing, LegacyFile } from "../../shared/catalog/catalog.ts";
import type { ArchiveNeeds } from "../../shared/postgres/plain-dump/script-needs.ts";
import { aBackup, type ManifestGiven } from "./backups.ts";

export type FactsGiven = Partial<Omit<TargetFacts, "missing">> & { readonly missing?: Partial<ArchiveNeeds> };

/** A server on which nothing stands in the way; whatever a test cares about is given. */
export function targetFacts({ missing, ...given }: FactsGiven = {}): TargetFacts {
  return {
    database: "hets",
    role: "dormouse",
    serverVersion: `${given.serverMajor ?? 15}.18`,
    serverMajor: 15,
    exists: true,
    databaseBytes: 1_000,
    isStandby: false,
    commitsWait: false,
    isInvalid: false,
    refusedBeside: [],
    isSuperuser: false,
    canCreateDatabases: true,
    inherits: true,
    ownsDatabase: true,
    sessions: 0,
    untouchableSessions: [],
    preparedTransactions: [],
    activeSlots: [],
    inactiveSlots: [],
    backgroundWorkers: [],
    subscriptions: [],
    missing: { roles: [], extensions: [], tablespaces: [], ...missing },
    lockTableSize: 6_400,
    lockHolders: 100,
    liveLargeObjects: 0,
    liveObjects: 0,
    undroppable: [],
    unmakeableRoles: [],
    missingLanguage: [],
    forbidden: NOTHING_FORBIDDEN,
    targetTaken: false,
    homes: {},
    roleConnectionLimit: -1,
    freeConnections: 90,
    loadSessions: 4,
    forbiddenExtensions: [],
    forbiddenSettings: [],
    forbiddenTablespaces: [],
    tablespaceNotCreatable: [],
    live: undefined,
    eventTriggersOfOthers: [],
    impossibleSettings: [],
    uncarriedSettings: [],
    refusedSettings: [],
    otherVersions: [],
    missingLocales: [],
    missingCollations: [],
    forbiddenOwner: [],
    collationVersion: undefined,
    mayCreateRoles: false,
    rolesToMake: (missing?.roles ?? []).map((name) => ({
      name,
      sql: roleSql(plainRole(name)),
      inside: [],
      withheld: [],
    })),
    ...given,
  };
}

export function aListing(given: Partial<CatalogListing> = {}): CatalogListing {
  return { backups: [], legacy: [], foreign: [], ...given };
}

export function restorable(given: ManifestGiven = {}): Restorable {
  const backup = aBackup(given);
  return findRestorable(aListing({ backups: [backup] }), backup.database, { name: backup.name });
}

export function aLegacyFile(base = "hets2026-11-20-01-00.bak"): LegacyFile {
  const parts = parseArchiveName(`2026-11-20/${base}`);
  if (parts === undefined) throw new Error(`${base} is no name of that day`);
  const { name, database, minuteAt } = parts;
  return { name, database, minuteAt, sizeBytes: 10, format: "plain-sql" };
}

export function legacyFile(): Restorable {
  const file = aLegacyFile();
  return findRestorable(aListing({ legacy: [file] }), file.database, { name: file.name });
}
