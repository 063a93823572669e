import { findNeeds } from "../plan/blockers.ts";
import { withTimeout } from "../../../shared/waiting.ts";
import { choiceWarnings, type LoadChoice } from "../../../shared/postgres/load/load-choice.ts";
import type { Restorable } from "../plan/restorable.ts";
import type { ArchiveDemands } from "../../../shared/postgres/plain-dump/plain-dump.ts";
import type { TargetFacts } from "../../../shared/postgres/properties/target-facts.ts";
import type { ArchiveNeeds } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { asDormouseError, DormouseError } from "../../../shared/errors.ts";
import type { Load } from "./verify-archive.ts";
import type { Planning } from "../restoring.ts";

/** A bucket may take its time; the table of contents is a few hundred kilobytes. */
const BEGINNING_MS = 60_000;

type Looked = {
  readonly backup: Restorable | undefined;
  readonly choice: LoadChoice;
  readonly target: string;
};

/** At the server, for what the manifest says and for what the beginning of the archive holds. */
export async function inspectArchive(planning: Planning, { backup, choice, target }: Looked) {
  const { server, settings, signal } = planning;
  const { database } = settings;
  const asked = { database, target, needs: findNeeds(backup), noted: backup?.manifest };
  const facts = await server.inspect(asked, signal);
  if (backup === undefined) return { facts, warnings: [] };
  const tools = await server.tools(facts.serverMajor);
  const demands = await demandsOf(planning, { backup, choice, tools });
  const warnings = [...(tools.warning === undefined ? [] : [tools.warning]), ...choiceWarnings(choice)];
  if (demands === undefined) return { facts, tools, warnings };
  if ("older" in demands) return { facts, tools, warnings, older: demands.older };
  if ("unread" in demands) return { facts, tools, warnings: [...warnings, demands.unread] };
  const { makes } = demands;
  const needs = bothNeeds(asked.needs, demands.needs, choice);
  const known = await server.inspect({ ...asked, needs, makes }, signal);
  return { facts: known, tools, demands, warnings: [...warnings, ...doubtWarnings(known)] };
}

/** Blockers are only what would surely fail. */
function doubtWarnings({ forbidden: { doubtful } }: TargetFacts): string[] {
  return doubtful.map(
    (name) =>
      `the server may refuse this role ${name}: restore as a superuser if it does, or send "owner": "current" or "leaveOut"`,
  );
}

/** A manifest names all roles of a database; those that only own are needed no more where all is to be one role's. */
function bothNeeds(noted: ArchiveNeeds, read: ArchiveNeeds, { owner, leaveOut }: LoadChoice): ArchiveNeeds {
  if (owner === "current" || leaveOut !== undefined) return read;
  const all = (kind: keyof ArchiveNeeds) => [...new Set([...noted[kind], ...read[kind]])];
  return { roles: all("roles"), extensions: all("extensions"), tablespaces: all("tablespaces") };
}

/** What cannot be looked at here fails the verification of the whole archive, before anything is touched. */
async function demandsOf(
  { files, signal }: Planning,
  { backup, choice, tools }: Load,
): Promise<ArchiveDemands | { readonly unread: string } | { readonly older: string } | undefined> {
  if (backup.format !== "custom") return undefined;
  try {
    return await withTimeout(
      BEGINNING_MS,
      signal,
      (limited) => tools.contents(() => files.beginning(backup, limited), choice, limited),
      (seconds, cause) =>
        new DormouseError("volume_silent", `its beginning was not read within ${seconds} s`, { cause }),
    );
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asDormouseError(error);
    if (code === "client_tools_not_found") return { older: message };
    return {
      unread: `the archive could not be read, so the plan does not list what of it this role may not make: ${message}`,
    };
  }
}
