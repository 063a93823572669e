import { REPLACING } from "./strategy.ts";
import type { Given, Rule } from "./blocker-rule.ts";
import { BY_SQL } from "./remedies.ts";

/** If only the manifest is known: a table, its TOAST table, and an index or sequence or two of each. */
const LOCKS_PER_TABLE = 8;
/** A server without other work has shared memory for half as many again as its settings say, and often for more. */
const SPARE = 1.5;

/** What stands in the way of replacing all content in one transaction, after a safety backup of what is there. */
export const IN_PLACE_RULES: readonly Rule[] = [
  {
    kind: "large-objects-in-plain",
    strategies: REPLACING,
    detail: "a file of the old pod commits its large objects by itself, so that not all of it can be undone",
    remedy: "use the strategy swap",
    found: ({ backup }) => backup !== undefined && backup.format !== "custom",
  },
  {
    kind: "safety-backup-incomplete",
    strategies: REPLACING,
    detail: "the safety backup of what is there would lack rows that this role may not read",
    remedy:
      "where row security hides them, give the role BYPASSRLS or let ALTER TABLE ... NO FORCE ROW LEVEL SECURITY; else GRANT SELECT; or use the strategy swap",
    found: ({ lacks = [] }) =>
      lacks.flatMap(({ names, detail }) => names.map((name) => `${name} (${detail})`)),
  },
  {
    kind: "content-of-others",
    strategies: REPLACING,
    detail: "what is there belongs to roles that this role may not stand for, and cannot be dropped by it",
    // Before 15 the schema public is a superuser's in each new database.
    remedy: BY_SQL.letDrop,
    found: ({ facts }) => facts.undroppable,
  },
  {
    kind: "language-missing",
    strategies: REPLACING,
    detail:
      "the live database lacks the language in which its content is replaced, or lets this role not use it",
    remedy: BY_SQL.letUseLanguage,
    found: ({ facts }) => facts.missingLanguage,
  },
  {
    kind: "too-many-objects",
    strategies: REPLACING,
    detail: "one transaction cannot lock all that is dropped and made",
    remedy: (_facts, _names, given) =>
      `set max_locks_per_transaction = ${locksEach(given)} or more and restart the server, or use the strategy swap`,
    found: (given) => {
      const locks = locksOf(given);
      const { lockTableSize } = given.facts;
      return locks > lockTableSize * SPARE ? [`${locks} locks, and there is room for ${lockTableSize}`] : [];
    },
  },
];

/** What is there is dropped, what takes its place is made; large objects keep their numbers. */
function locksOf({ facts, demands, backup }: Given): number {
  const content = backup?.manifest?.content;
  const made = demands?.makes ?? { locks: (content?.tables.length ?? 0) * LOCKS_PER_TABLE, largeObjects: 0 };
  const largeObjects = Math.max(facts.liveLargeObjects, content?.largeObjects ?? 0, made.largeObjects);
  return facts.liveObjects + made.locks + largeObjects;
}

function locksEach(given: Given): number {
  return Math.ceil(locksOf(given) / given.facts.lockHolders);
}
