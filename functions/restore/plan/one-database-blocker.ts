import { OF_ONE_DATABASE, oneDatabaseOnly } from "../../../shared/postgres/properties/one-database.ts";
import { identifier } from "../../../shared/postgres/sql-text.ts";
import { REPLACING, strategiesThat } from "./strategy.ts";
import type { Given, Rule } from "./blocker-rule.ts";

const KIND = {
  kind: "extensions-of-one-database",
  detail: "extensions that only one database of a server can have",
} as const;

/** A database that is loaded beside bears another name than the server wants; in place they are made where they were. */
export const ONE_DATABASE_RULES: readonly Rule[] = [
  {
    ...KIND,
    strategies: strategiesThat(({ loads, swaps }) => loads !== undefined && swaps),
    remedy: (facts, _names, given) => {
      if (misplaced(given).length > 0) return without(given);
      const made = facts.exists ? "" : `CREATE DATABASE ${identifier(facts.database)}, then `;
      return `${made}use the strategy in-place, which makes them again with their rows; or ${without(given)}`;
    },
    found: (given) => withHomes(given, wanted(given)),
  },
  {
    ...KIND,
    strategies: strategiesThat(({ loads, swaps }) => loads !== undefined && !swaps),
    remedy: (_facts, _names, given) => without(given),
    found: (given) => withHomes(given, wanted(given)),
  },
  {
    ...KIND,
    strategies: REPLACING,
    remedy: ({ database }, _names, given) => {
      const settings = misplaced(given).map(settingOf).join(", ");
      return `load their libraries with ${settings} = ${database} and restart the server; or ${without(given)}`;
    },
    found: (given) => withHomes(given, misplaced(given)),
  },
];

function wanted({ demands, backup }: Given): string[] {
  const noted = backup?.manifest?.content.extensions.map(({ name }) => name) ?? [];
  return oneDatabaseOnly(demands?.needs.extensions ?? noted);
}

/** A superuser sees each setting: one that is not there is of a library that the server has not loaded. */
function misplaced(given: Given): string[] {
  const { homes, database, isSuperuser } = given.facts;
  return wanted(given).filter((name) => {
    const home = homes[name];
    return home === undefined ? isSuperuser : home !== database;
  });
}

function withHomes({ facts: { homes } }: Given, extensions: readonly string[]): string[] {
  return extensions.map((name) => `${name} (${settingOf(name)} is ${homes[name] ?? "unknown"})`);
}

function settingOf(extension: string): string {
  return OF_ONE_DATABASE.get(extension)?.setting ?? extension;
}

function without({ demands }: Given): string {
  const entries = demands?.oneDatabaseEntries ?? [];
  return entries.length === 0
    ? 'leave out their entries by "leaveOut", as pg_restore --list writes them'
    : `leave them out with all that is theirs: "leaveOut": ${JSON.stringify(entries)}`;
}
