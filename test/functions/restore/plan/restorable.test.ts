import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findRestorable, parseWanted } from "../../../../functions/restore/plan/restorable.ts";
import { aBackup } from "../../../support/backups.ts";
import { aLegacyFile, aListing } from "../../../support/restorables.ts";

const NAME = "2026-11-22/hets2026-11-22-01-00.bak";
const on = (day: number, run?: string) =>
  aBackup({
    startedAt: new Date(`2026-11-${day}T01:00:00Z`),
    ...(run === undefined ? {} : { run }),
  });

describe("the name of what is wanted", () => {
  const good: readonly (readonly [string, unknown])[] = [
    ["latest", { latest: true }],
    [NAME, { name: NAME }],
    ["hets2026-11-22-01-00.bak", { name: NAME }],
    ["hets2026-11-22-01-00-2.bak", { name: "2026-11-22/hets2026-11-22-01-00-2.bak" }],
  ];
  for (const [filename, wanted] of good) {
    it(`is read from ${filename}`, () => {
      assert.deepEqual(parseWanted(filename, "hets"), wanted);
    });
  }

  it("is that of a database whose own name ends like a name", () => {
    const database = "hets2026-11-22-01-00";

    assert.deepEqual(parseWanted(`${database}2026-11-23-02-00.bak`, database), {
      name: `2026-11-23/${database}2026-11-23-02-00.bak`,
    });
  });

  const bad = [
    "",
    "LATEST",
    "../../etc/passwd",
    `../${NAME}`,
    `/${NAME}`,
    `./${NAME}`,
    "2026-11-22/../2026-11-22/hets2026-11-22-01-00.bak",
    "2026-11-21/hets2026-11-22-01-00.bak",
    `${NAME}.json`,
    `${NAME}\n`,
    `${NAME}\0`,
    "--file=x",
    "2026-11-22\\hets2026-11-22-01-00.bak",
    "2026-11-22/other2026-11-22-01-00.bak",
    "hets2026-13-22-01-00.bak",
    "hets2026-11-22-01-00-1.bak",
  ];
  for (const filename of bad) {
    it(`is refused: ${JSON.stringify(filename)}`, () => {
      assert.throws(() => parseWanted(filename, "hets"), { code: "request_invalid" });
    });
  }
});

describe("what is restored", () => {
  const wantedLatest = { latest: true } as const;

  it("is the newest backup of the database, in whatever order they are listed", () => {
    const listing = aListing({ backups: [on(21), on(23), on(22)], legacy: [aLegacyFile()] });

    assert.equal(findRestorable(listing, "hets", wantedLatest).name, on(23).name);
  });

  it("is by latest never the safety backup of another restore, but by its name it is", () => {
    const safety = on(23, "restore-0123456789abcdef01234567");
    const listing = aListing({ backups: [safety, on(22)] });

    assert.equal(findRestorable(listing, "hets", wantedLatest).name, on(22).name);
    assert.equal(findRestorable(listing, "hets", { name: safety.name }).name, safety.name);
  });

  const out: readonly (readonly [path: string, hides: boolean])[] = [
    ["2026-11-24", true],
    ["2026-11-23", true],
    ["2026-11-22", false],
    ["2026-11-24/hets2026-11-24-01-00.bak.json", true],
    ["2026-11-22/hets2026-11-22-01-00.bak.json", false],
    // The bucket has it.
    [`${on(23).name}.json`, false],
    ["2026-11-24/other2026-11-24-01-00.bak.json", false],
    ["daily", false],
  ];
  for (const [path, hides] of out)
    it(`is ${hides ? "not " : ""}known as the latest while ${path} cannot be read, and by its name`, () => {
      const foreign = [{ path, reason: "unreadable", detail: "cannot be read: EIO" }] as const;
      const listing = aListing({ backups: [on(23), on(22)], foreign: [...foreign] });
      const find = () => findRestorable(listing, "hets", wantedLatest).name;

      if (hides)
        assert.throws(find, {
          code: "catalog_unreadable",
          message: new RegExp(`${path} cannot be read: EIO`),
        });
      else assert.equal(find(), on(23).name);
      assert.equal(findRestorable(listing, "hets", { name: on(23).name }).name, on(23).name);
    });

  it("is not known to be missing while a day cannot be read", () => {
    const foreign = [{ path: "2026-11-24", reason: "unreadable", detail: "cannot be read: EIO" } as const];

    assert.throws(() => findRestorable(aListing({ foreign }), "hets", wantedLatest), {
      code: "catalog_unreadable",
    });
  });

  it("is a file of the old pod where there is no backup, and says so by lacking a manifest", () => {
    const found = findRestorable(aListing({ legacy: [aLegacyFile()] }), "hets", wantedLatest);

    assert.equal(found.name, aLegacyFile().name);
    assert.equal(found.manifest, undefined);
  });

  it("is not found when it is another database's, or of none", () => {
    const listing = aListing({ backups: [aBackup({ database: "other" })] });

    assert.throws(() => findRestorable(listing, "hets", wantedLatest), { code: "backup_not_found" });
    assert.throws(() => findRestorable(listing, "hets", { name: NAME }), { code: "backup_not_found" });
  });

  it("is not found, with what lies there instead", () => {
    const foreign = [
      { path: `${NAME}.json`, reason: "manifest_unreadable", detail: "cannot be read" },
    ] as const;

    const find = () => findRestorable(aListing({ foreign }), "hets", { name: NAME });

    assert.throws(find, { code: "backup_not_found", message: /what lies there cannot be read/ });
  });
});
