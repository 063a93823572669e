import type { ServerRole } from "../roles/server-role.ts";
import type { ScriptMakes } from "../plain-dump/script-makes.ts";
import type { DatabaseProperties, Settings } from "./database-properties.ts";
import type { Forbidden } from "./forbidden-kinds.ts";
import type { PlannedRoles } from "../roles/planned-roles.ts";
import type { ArchiveNeeds } from "../plain-dump/script-needs.ts";

/** What the server says of the database that is to be restored. */
export type TargetFacts = PlannedRoles & {
  readonly database: string;
  /** As which the function restores. */
  readonly role: string;
  /** `15.18` */
  readonly serverVersion: string;
  readonly serverMajor: number;
  /** Whether there is a live database at all: a server may be new, or the database dropped. */
  readonly exists: boolean;
  /** Whether it is what an interrupted DROP DATABASE leaves: the server then lets nothing but another one be done with it. */
  readonly isInvalid: boolean;
  readonly databaseBytes: number;
  readonly isStandby: boolean;
  /** Whether a commit would wait for a synchronous standby, and none is connected. */
  readonly commitsWait: boolean;
  readonly isSuperuser: boolean;
  readonly canCreateDatabases: boolean;
  /** Before 16: whether it has the rights of the roles that it is a member of without becoming them. */
  readonly inherits: boolean;
  readonly ownsDatabase: boolean;
  /** How many sessions this role may have at once; -1 for any number. */
  readonly roleConnectionLimit: number;
  /** How many more this role may have now: by its own limit, and by the server's. */
  readonly freeConnections: number;
  /** With how many pg_restore loads a database beside. */
  readonly loadSessions: number;
  readonly sessions: number;
  /** Sessions that this role may not end, each with pid, role and program. */
  readonly untouchableSessions: readonly string[];
  /** Workers of extensions, such as schedulers: the server starts them again when they are ended. */
  readonly backgroundWorkers: readonly string[];
  readonly preparedTransactions: readonly string[];
  readonly activeSlots: readonly string[];
  /** They stay with the old database, and would be dropped with it. */
  readonly inactiveSlots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly missing: ArchiveNeeds;
  /** Roles whose names are other bytes in the maintenance database than in that of the backup: made from there, they would be others. */
  readonly unmakeableRoles: readonly string[];
  /** Extensions of the backup that only a superuser may create, unless the role is one. */
  readonly forbiddenExtensions: readonly string[];
  /** The one database in which such an extension can be, by its name; `undefined` where the server does not say it. */
  readonly homes: Readonly<Record<string, string | undefined>>;
  /** The properties of the live database; without one, those that the manifest notes are what is made. */
  readonly live: DatabaseProperties | undefined;
  /** Settings under which the dump was written and that this server cannot take. */
  readonly impossibleSettings: readonly string[];
  /** Those that the sessions of a load cannot be given, by the encoding of the database or by their size. */
  readonly uncarriedSettings: readonly string[];
  /** Settings of the live database, or the one to make, that this server does not take: the loaded one is made without them. */
  readonly refusedSettings: readonly string[];
  /** Extensions of the backup that this server makes in another version, each with both. */
  readonly otherVersions: readonly string[];
  /** Event triggers of the live database that this role may neither drop nor keep from firing. */
  readonly eventTriggersOfOthers: readonly string[];
  /** Locales of the database to make that this server does not have. */
  readonly missingLocales: readonly string[];
  /** Collations of the archive whose locale this server does not have, each with it. */
  readonly missingCollations: readonly string[];
  /** The owner of the database to make, where this role may not become that role, or not act for it. */
  readonly forbiddenOwner: readonly string[];
  /** By which this server sorts text in the locale of the backup. */
  readonly collationVersion: string | undefined;
  /** What of the archive this role may not make. */
  readonly forbidden: Forbidden;
  /** The owners of the content to replace that this role may not act for, with the first thing of each. */
  readonly undroppable: readonly string[];
  /** The language in which the content is replaced, where the live database lacks it or this role may not use it. */
  readonly missingLanguage: readonly string[];
  readonly liveLargeObjects: number;
  /** All else that is locked when the content of the live database is dropped. */
  readonly liveObjects: number;
  /** Settings of the live database (or the one to make), or of roles in it, that this role may not give to the loaded one. */
  readonly forbiddenSettings: readonly string[];
  /** Tablespaces of the backup in which this role may not create; that of the database itself needs no right. */
  readonly forbiddenTablespaces: readonly string[];
  /** The tablespace of the live database, if this role may make no other database there. */
  readonly tablespaceNotCreatable: readonly string[];
  /** How many locks all transactions together may hold. */
  readonly lockTableSize: number;
  /** Of these as many as there are locks for each. */
  readonly lockHolders: number;
  /** Why pg_hba.conf would not let this role into the database that is made. */
  readonly refusedBeside: readonly string[];
  /** Whether the database that `into` names is there already. */
  readonly targetTaken: boolean;
};

export type TargetRequest = {
  readonly database: string;
  readonly target: string;
  readonly needs: ArchiveNeeds;
  /** What the archive itself holds, where that has been looked at. */
  readonly makes?: ScriptMakes | undefined;
  /** What the manifest says of the database, and of the settings under which its dump was written. */
  readonly noted?:
    | {
        readonly properties?: DatabaseProperties | undefined;
        readonly settings?: Settings | undefined;
        readonly roles?: readonly ServerRole[] | undefined;
        readonly content?:
          { readonly extensions: readonly { readonly name: string; readonly version: string }[] } | undefined;
      }
    | undefined;
};
