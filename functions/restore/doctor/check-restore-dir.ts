import { abandonedCopies } from "../../../shared/catalog/archives/restore-dir.ts";
import { good, type Check } from "../../../shared/doctor/finding.ts";

export function restoreDirCheck(restoreDir: string): Check {
  return {
    name: "restore-dir",
    async look() {
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
