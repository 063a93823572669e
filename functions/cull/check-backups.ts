import { newestFirst } from "../../shared/catalog/backup.ts";
import { good, type Check } from "../../shared/doctor/finding.ts";
import { retirementOf } from "../../shared/backup/retired-databases.ts";
import { findStaleness } from "./retention/staleness.ts";
import { listOwn } from "./own-backups.ts";
import { shellQuote } from "../../shared/shell-quote.ts";
import type { CullPlacesDependencies } from "./cull-places.ts";

/** Whether each database has a backup as young as it should be. A warning: this function does its work without one. */
export function backupsCheck(deps: CullPlacesDependencies, staleHours: number): Check {
  return {
    name: "backups",
    async run(signal) {
      if (staleHours === 0) return [];
      const { backups } = await listOwn({ ...deps, place: "volume", volume: deps.catalog }, signal);
      const retirements = await deps.retired.known();
      const ofDatabase = Map.groupBy(backups, ({ database }) => database);
      const databases = [...new Set([...ofDatabase.keys(), ...(deps.expected ?? [])])].toSorted();
      const stale = databases.flatMap((database) => {
        const ordered = (ofDatabase.get(database) ?? []).toSorted(newestFirst);
        if (retirementOf(database, ordered[0]?.startedAt, retirements) !== undefined) return [];
        const staleness = findStaleness(ordered, staleHours, new Date());
        return staleness === undefined ? [] : [{ database, detail: staleness.detail }];
      });
      if (databases.length === 0) return [];
      if (stale.length === 0)
        return [good(`${databases.length} databases have backups as young as they should be`)];
      return stale.map(({ database, detail }) => ({
        state: "warning",
        database,
        detail: `${JSON.stringify(database)}: ${detail}`,
        fix: `look at the backup function: its doctor, its runs, and the source of pings that wakes it; if the database is gone for good, \`retire ${shellQuote(database)} --reason TEXT\``,
      }));
    },
  };
}
