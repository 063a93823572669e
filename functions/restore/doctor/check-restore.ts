import { findBlockers } from "../plan/blockers.ts";
import { good, type Check, type Finding } from "../../../shared/doctor/finding.ts";
import { RESTORE_ROLE } from "../plan/remedies.ts";
import { NO_NEEDS } from "../../../shared/postgres/plain-dump/script-needs.ts";
import { identifier } from "../../../shared/postgres/sql-text.ts";
import { findDoubts } from "../journal/doubts-of.ts";
import type { RestoreDependencies } from "../restoring.ts";
import { abandonedCopies } from "../../../shared/catalog/archives/restore-dir.ts";

type Dependencies = Pick<RestoreDependencies, "server" | "settings" | "runs" | "expired">;
type Found = readonly Omit<Finding, "check">[];

const SUPERUSER: Found[number] = {
  state: "warning",
  detail: "the role is a superuser: the SQL of an archive would run with all that the server's user may do",
  fix: RESTORE_ROLE,
};

/** What would stand in the way of a restore, whichever backup it takes: the same rules as those of its plan. */
export function restoreCheck({ server, settings }: Dependencies): Check {
  return {
    name: "restore",
    async run(signal) {
      const { database } = settings;
      const facts = await server.inspect({ database, target: database, needs: NO_NEEDS }, signal);
      const blockers = findBlockers("swap", { facts, backup: undefined });
      const faults = blockers.map(({ detail, remedy }) => ({ state: "fault" as const, detail, fix: remedy }));
      const fine = blockers.length === 0 ? [good("the role may make, fence and rename the database")] : [];
      return [...fine, ...faults, ...(facts.isSuperuser ? [SUPERUSER] : [])];
    },
  };
}

/** What earlier restores left behind that no run puts in order: a person decides. */
export function leftoversCheck(deps: Dependencies): Check {
  return {
    name: "leftovers",
    async run(signal) {
      const doubtful: Found = (await findDoubts(deps, signal)).map(({ stops, detail, remedy }) => ({
        state: stops ? "fault" : "warning",
        detail,
        fix: remedy,
      }));
      const left = [...doubtful, ...(await databasesLeft(deps, signal))];
      return left.length > 0 ? left : [good("earlier restores left nothing to be put in order by hand")];
    },
  };
}

async function databasesLeft(
  { runs, expired, settings: { database } }: Omit<Dependencies, "server">,
  signal: AbortSignal,
): Promise<Found> {
  const { unmarked, loaded } = await expired.find(database, signal);
  const unfinished = await runs.unfinished("restore", database);
  const isUnderWay = (run: string) => unfinished.some(({ id }) => id.startsWith(run));
  return [
    ...unmarked.map((name) => leftDatabase(name, "the server does not say that a restore kept it")),
    ...loaded
      .filter(({ run }) => !isUnderWay(run))
      .map(({ database: name, run }) => leftDatabase(name, `no restore ${run} is under way`)),
  ];
}

function leftDatabase(database: string, why: string): Found[number] {
  const name = identifier(database);
  return {
    state: "warning",
    detail: `database ${JSON.stringify(database)} is left: ${why}`,
    fix: `to look into it, ALTER DATABASE ${name} ALLOW_CONNECTIONS true; if it is not needed, DROP DATABASE ${name}`,
  };
}

export function restoreDirCheck(restoreDir: string): Check {
  return {
    name: "restore-dir",
    async run() {
      const { count, bytes } = await abandonedCopies(restoreDir, new Date());
      if (count === 0) return [good(`no copy of an archive is left in RESTORE_DIR ${restoreDir}`)];
      return [
        {
          state: "warning",
          detail: `${count} copies of archives, ${bytes} bytes, have been left in RESTORE_DIR ${restoreDir} for more than a day`,
          fix: "the next restore of each database removes its own; remove by hand those of databases that are restored no more",
        },
      ];
    },
  };
}
