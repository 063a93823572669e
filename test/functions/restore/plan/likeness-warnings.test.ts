import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { likenessWarnings } from "../../../../functions/restore/plan/likeness-warnings.ts";
import type { Strategy } from "../../../../functions/restore/plan/strategy.ts";
import { plainDatabase } from "../../../support/postgres-adapter.ts";
import { restorable, targetFacts, type FactsGiven } from "../../../support/restorables.ts";

const STAYS = "what belongs to the database stays as the live one has it, otherwise than in the backup: ";
const noted = {
  ...plainDatabase,
  owner: "app",
  connectionLimit: 7,
  comment: "the register",
  grants: [
    { grantee: "reader", privilege: "CONNECT", grantable: false },
    { privilege: "CONNECT", grantable: false },
  ],
  settings: [
    { name: "TimeZone", value: "America/Vancouver" },
    { name: "app.tenant", value: "north" },
    { role: "reader", name: "search_path", value: "hire" },
  ],
};

function warned(strategy: Strategy, facts: FactsGiven, lacks: readonly object[] = []): string[] {
  const { manifest } = restorable();
  if (manifest === undefined) throw new Error("a backup has a manifest");
  return likenessWarnings(strategy, targetFacts(facts), { ...manifest, properties: noted, lacks } as never);
}

describe("what a plan says of what comes back otherwise than it was", () => {
  it("is nothing where the live database has all that the backup notes, in whatever order", () => {
    const live = { ...noted, grants: noted.grants.toReversed(), settings: noted.settings.toReversed() };

    for (const strategy of ["swap", "in-place", "beside", "rehearse"] as const)
      assert.deepEqual(warned(strategy, { live }), []);
  });

  it("names each property and setting of a live database that was made again without them", () => {
    const live = { ...plainDatabase, owner: "postgres", settings: [{ name: "app.tenant", value: "south" }] };

    for (const strategy of ["swap", "in-place", "beside"] as const) {
      const warnings = warned(strategy, { live });
      assert.equal(warnings.length, 1);
      const [names = ""] = (warnings[0] ?? "").split("; ");
      assert.equal(
        names,
        `${STAYS}owner, connectionLimit, comment, grants, setting app.tenant, setting TimeZone, setting search_path of role reader`,
      );
    }
    assert.deepEqual(warned("rehearse", { live }), [], "what it makes is dropped again");
    assert.deepEqual(warned("swap", { live: undefined }), [], "it is made as the backup notes it");
  });

  it("names settings that are left out, and does not tell them twice", () => {
    const live = { ...noted, settings: [...noted.settings, { name: "gone", value: "on" }] };
    const refusedSettings = ["gone = on"];

    assert.deepEqual(warned("swap", { live, refusedSettings }), [
      "settings of the database that this server does not take are left out: gone = on",
    ]);
    assert.deepEqual(warned("in-place", { live, refusedSettings }), []);
  });

  it("names subscriptions that are not made, and extensions of another version", () => {
    const lacks = [{ kind: "subscriptions", names: ["news"], data: false, detail: "" }];
    const [subscriptions, versions] = warned(
      "swap",
      { live: noted, otherVersions: ["hstore 1.8 instead of 1.4"] },
      lacks,
    );

    assert.match(subscriptions ?? "", /subscriptions do not come back.*: news;/);
    assert.match(versions ?? "", /hstore 1\.8 instead of 1\.4/);
  });
});
