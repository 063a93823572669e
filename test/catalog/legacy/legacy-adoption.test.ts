import { MAKES_NOTHING } from "../../../shared/postgres/plain-dump/script-makes.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { archiveName } from "../../../shared/catalog/archive-name.ts";
import { toBackup, newestFirst, type Backup } from "../../../shared/catalog/backup.ts";
import type { LegacyFile } from "../../../shared/catalog/catalog.ts";
import { adoptable, describeAdopted } from "../../../shared/catalog/legacy/legacy-adoption.ts";
import { version } from "../../../shared/version.ts";
import { findNeeds } from "../../../functions/restore/plan/blockers.ts";
import { findRestorable } from "../../../functions/restore/plan/restorable.ts";
import { aBackup } from "../../support/backups.ts";
import { aListing } from "../../support/restorables.ts";

const now = new Date("2026-12-01T00:00:00Z");

function legacyFile(day: string, given: Partial<LegacyFile> = {}): LegacyFile {
  const minuteAt = new Date(`${day}T01:00:00Z`);
  const database = given.database ?? "hets";
  const name = archiveName(database, minuteAt);
  return { name, database, minuteAt, sizeBytes: 10, format: "gzip-sql", ...given };
}

function adopted(file: LegacyFile, backups: readonly Backup[], metaCommands: string[] = []): Backup {
  const tables = [{ schema: "public", name: "t", rows: 3 }];
  const needs = { roles: ["jo", 'the "old" app'], extensions: ["citext"], tablespaces: [] };
  const dump = {
    tables,
    largeObjects: 1,
    plainBytes: 99,
    isComplete: true,
    metaCommands,
    needs,
    makes: MAKES_NOTHING,
  };
  const versions = { server: "9.6.1", pgDump: "9.6.2" };
  const contents = { sizeBytes: 10, sha256: "0".repeat(64), dump, versions };
  return toBackup(describeAdopted(file, contents, backups, { run: "cull-1", now }));
}

function ours(day: string, sequence: number): Backup {
  const startedAt = new Date(`${day}T02:00:00Z`);
  return aBackup({ startedAt, sequence, name: archiveName("hets", startedAt) });
}

describe("an adopted file", () => {
  it("stands before our first backup, and in the order of its time", () => {
    const backups = [ours("2026-11-22", 1), ours("2026-11-23", 2)];
    const files = ["2026-11-19", "2026-11-21", "2026-11-20"].map((day) => adopted(legacyFile(day), backups));

    assert.deepEqual(
      [...files, ...backups].toSorted(newestFirst).map(({ name }) => name.slice(0, 10)),
      ["2026-11-23", "2026-11-22", "2026-11-21", "2026-11-20", "2026-11-19"],
    );
  });

  it("stands between ours where the old pod came back, and changes no other's place", () => {
    const backups = [ours("2026-11-19", 1), ours("2026-11-20", 2), ours("2026-11-24", 3)];
    const between = ["2026-11-21", "2026-11-22"].map((day) => adopted(legacyFile(day), backups));
    const last = adopted(legacyFile("2026-11-25"), backups);
    const next = ours("2026-11-26", Math.max(...[...backups, last].map(({ sequence }) => sequence)) + 1);

    assert.deepEqual(
      [last, ...between, next, ...backups].toSorted(newestFirst).map(({ name }) => name.slice(8, 10)),
      ["26", "25", "24", "22", "21", "20", "19"],
    );
  });

  it("takes its place among the backups of its own database only", () => {
    const other = aBackup({ database: "hets2", sequence: 70, startedAt: new Date("2026-11-01T01:00:00Z") });

    assert.equal(adopted(legacyFile("2026-11-21"), [other]).sequence, 0);
  });

  it("says what is known of it, and how to restore it by hand", () => {
    const { manifest } = adopted(legacyFile("2026-11-21"), [], ["\\connect other"]);

    assert.equal(manifest.verification.level, "read");
    assert.deepEqual(manifest.versions, { dormouse: version, server: "9.6.1", pgDump: "9.6.2" });
    assert.equal(manifest.content.rows, 3);
    assert.match(manifest.warnings.join("\n"), /adopted from the old pod[^]*psql would run: \\connect other/);
    assert.match(manifest.restoreByHand, /^gzip -t < .*gzip -dc < .* \| psql --no-psqlrc/);
  });
});

describe("the manifest of an adopted file", () => {
  it("lists for the plan of a restore what the server must have", () => {
    const file = adopted(legacyFile("2026-11-21"), []);

    const needs = findNeeds(findRestorable(aListing({ backups: [file] }), "hets", { name: file.name }));

    assert.deepEqual(needs, { roles: ["jo", 'the "old" app'], extensions: ["citext"], tablespaces: [] });
  });
});

describe("adoptable", () => {
  it("takes the newest first, so many, and neither what is damaged nor what is yet to come", () => {
    const files = [
      legacyFile("2026-11-19"),
      legacyFile("2026-11-21"),
      legacyFile("2026-11-20"),
      legacyFile("2026-11-22", { damage: "cut short" }),
      legacyFile("2026-12-02"),
    ];

    assert.deepEqual(
      adoptable(files, now, 2, new Map()).map(({ name }) => name.slice(0, 10)),
      ["2026-11-21", "2026-11-20"],
    );
    assert.deepEqual(adoptable(files, now, 0, new Map()), []);
  });
});
