import { blockersOf } from "../backup/blockers.ts";
import { good, type Check } from "../backup/finding.ts";
import { NO_NEEDS } from "../backup/script-needs.ts";
import type { RestoreDependencies } from "./restore-dependencies.ts";

/** What would stand in the way of a restore, whichever backup it takes: the same rules as those of its plan. */
export function restoreCheck({ server, settings }: Pick<RestoreDependencies, "server" | "settings">): Check {
  return {
    name: "restore",
    async look(signal) {
      const { database } = settings;
      const facts = await server.inspect({ database, target: database, needs: NO_NEEDS }, signal);
      // An undo exchanges two databases as a restore does, and needs nothing of a backup.
      const blockers = blockersOf("undo", { facts, backup: undefined });
      if (blockers.length === 0) return [good("the role may make, fence and rename the database")];
      return blockers.map(({ detail, remedy }) => ({ state: "fault", detail, fix: remedy }));
    },
  };
}
