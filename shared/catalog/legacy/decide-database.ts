import { parseArchiveName, type ArchiveNameParts } from "../archive-name.ts";
import type { LegacyFile } from "../catalog.ts";
import type { Classified } from "../classify.ts";
import type { Damage } from "./damaged-files.ts";
import { databaseChoice } from "../../config/database-choice.ts";

/** What an installation knows of the names that backup-container put together. */
export type KnownServer = {
  /** As DATABASE_SERVICE_NAME has it; unset where a function does not have it. */
  readonly host?: string | undefined;
  /** Those that the configuration names letter for letter. */
  readonly databases: readonly string[];
};

type Settings = Parameters<typeof databaseChoice>[0] & {
  readonly DATABASE_SERVICE_NAME?: string | undefined;
};

export function knownServer(config: Settings): KnownServer {
  return { host: config.DATABASE_SERVICE_NAME, databases: databaseChoice(config).named };
}

/** Which database a file is of, and by what that was decided. */
type Decision = { readonly database: string; readonly how: string; readonly isDecided: boolean };

/**
 * Reads names of backup-container, which put server and database together with a hyphen that both may hold. What is decided
 * wrongly is loaded as another database, or counts as one of its backups: what may be of two is of neither until an operator
 * says so. `known` has what was decided before, when files of the same name were adopted.
 */
export function decideDatabases(
  names: Iterable<string>,
  { host, databases }: KnownServer,
  known: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, Decision> {
  const all = new Set(names);
  const server = host === undefined ? undefined : firstLabel(host);
  const isOfServer = (name: string) => server !== undefined && databaseOn(server, name) !== undefined;
  // A volume with files of the configured server has those of other servers as well, and not of this one under another name.
  const others = [...all].some(isOfServer) ? new Map<string, Decision>() : byDatabases(all, databases);
  const decide = (name: string): Decision => {
    const before = known.get(name);
    if (before !== undefined) return decided(before, "as it was when others of this name were adopted");
    const database = server === undefined ? undefined : databaseOn(server, name);
    if (database !== undefined) return decided(database, `DATABASE_SERVICE_NAME names its server ${server}`);
    return others.get(name) ?? undecided(name);
  };
  return new Map([...all].map((name) => [name, decide(name)]));
}

function decided(database: string, how: string): Decision {
  return { database, how, isDecided: true };
}

function undecided(name: string): Decision {
  const how = "its name does not show where the server's ends: it is restored by name alone, and not adopted";
  return { database: name, how, isDecided: false };
}

/** backup-container took servers by their short names. An address has no shorter one. */
function firstLabel(host: string): string {
  return /^[\d.:]+$/.test(host) ? host : (host.split(".")[0] ?? host);
}

function databaseOn(server: string, name: string): string | undefined {
  return name.startsWith(`${server}-`) && name.length > server.length + 1
    ? name.slice(server.length + 1)
    : undefined;
}

/** The server is called otherwise now, or was reached by another name: where only one can be meant, it is. */
function byDatabases(names: Iterable<string>, databases: readonly string[]): Map<string, Decision> {
  const found = new Map<string, Decision>();
  const all = [...names];
  const longestOf = (name: string) =>
    databases
      .filter((database) => serverOf(name, database) !== undefined)
      .toSorted((a, b) => b.length - a.length)[0];
  for (const database of databases) {
    const servers = all.flatMap((name) =>
      longestOf(name) === database ? (serverOf(name, database) ?? []) : [],
    );
    const [server] = servers.toSorted((a, b) => a.length - b.length);
    // `pg-my-app` beside `pg-app` is of the server pg as well, and of the database my-app.
    if (server === undefined || !servers.every((other) => other === server || other.startsWith(`${server}-`)))
      continue;
    found.set(`${server}-${database}`, decided(database, `no other server than ${server} has one`));
  }
  return found;
}

function serverOf(name: string, database: string): string | undefined {
  const end = `-${database}`;
  return name.endsWith(end) && name.length > end.length ? name.slice(0, -end.length) : undefined;
}

export type FoundLegacy = {
  readonly legacy: LegacyFile;
  readonly parts: ArchiveNameParts;
  readonly modifiedMs: number;
};

type Described = Classified | { readonly legacy: LegacyFile };

/** What no legacy file says of itself: which database it is of, by the names of all of them, and whether it is known to be damaged. */
export function describeLegacy(
  found: readonly (Classified | FoundLegacy)[],
  known: KnownServer,
  damaged: Readonly<Record<string, Damage>>,
): readonly Described[] {
  const names = found.flatMap((each) =>
    "legacy" in each && each.parts.withServer ? [each.parts.database] : [],
  );
  const adopted = found.flatMap((each) => ("backup" in each ? adoptedAs(each) : []));
  const decisions = decideDatabases([...names, ...adopted.map(([name]) => name)], known, new Map(adopted));
  return found.map((each) => {
    if (!("legacy" in each)) return each;
    const { legacy, parts } = each;
    const decision = parts.withServer ? decisions.get(parts.database) : undefined;
    return { legacy: { ...legacy, ...(decision && asDecided(decision)), ...damageOf(each, damaged) } };
  });
}

function asDecided({ database, ...decision }: Decision): Pick<LegacyFile, "database" | "decision"> {
  return { database, decision };
}

function adoptedAs({ backup }: Extract<Classified, { backup: unknown }>): (readonly [string, string])[] {
  const parts = parseArchiveName(backup.name);
  return parts?.withServer === true ? [[parts.database, backup.database]] : [];
}

/** A file that was found to be damaged is so until it changes. */
function damageOf(
  { legacy, modifiedMs }: FoundLegacy,
  damaged: Readonly<Record<string, Damage>>,
): Pick<LegacyFile, "damage"> {
  const damage = damaged[legacy.name];
  const isThat = damage?.sizeBytes === legacy.sizeBytes && damage.modifiedMs === modifiedMs;
  return isThat ? { damage: damage.why } : {};
}
