import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reasonToStay } from "../../../../functions/cull/retention/retention.ts";
import type { Backup } from "../../../../shared/catalog/backup.ts";
import { aBackup } from "../../../support/backups.ts";
import { daily, PIN } from "../../../support/planned-cull.ts";

describe("reasonToStay", () => {
  const [backup] = daily(1);
  const planned = backup ?? aBackup();
  const cases: readonly (readonly [string, Backup, Map<string, string>, RegExp | undefined])[] = [
    ["nothing has changed", planned, new Map(), undefined],
    ["it was pinned", { ...planned, manifest: { ...planned.manifest, pin: PIN } }, new Map(), /pinned/],
    ["a restore began", planned, new Map([[planned.name, "restore-1"]]), /restore-1/],
    ["its name was taken", { ...planned, sequence: 9 }, new Map(), /taken its name/],
  ];
  for (const [what, now, inUse, why] of cases) {
    it(`is asked before each removal: ${what}`, () => {
      const reason = reasonToStay(planned, now, inUse);

      if (why === undefined) assert.equal(reason, undefined);
      else assert.match(reason ?? "", why);
    });
  }
});
