import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { cullConfig } from "../../functions/cull/config.ts";
import { describeConfig } from "../../shared/config/config.ts";
import { MANIFESTS } from "../support/manifests.ts";

type Source = { readonly metadata: { readonly name: string }; readonly spec: { readonly schedule: string } };

/** How far a backup's begin and end may lie behind its hour: start of a pod, retries, the dump itself. */
const ROOM_HOURS = 4;

describe("the shipped schedule", async () => {
  const text = await readFile(join(MANIFESTS, "base/schedule.yaml"), "utf8");
  const sources = parseAllDocuments(text).map((document) => document.toJS() as Source);
  /** Of a daily schedule, in UTC. */
  const hourOf = (name: string): number => {
    const schedule =
      sources.find(({ metadata }) => metadata.name === name)?.spec.schedule ?? assert.fail(name);
    const [, minute, hour] = /^(\d+) (\d+) \* \* \*$/.exec(schedule) ?? assert.fail(schedule);
    return Number(hour) + Number(minute) / 60;
  };
  const stale = Number(
    describeConfig(cullConfig)
      .find(({ name }) => name === "STALE_HOURS")
      ?.fallback.replaceAll("`", ""),
  );
  const sinceBackup = (hourOf("dormouse-watch") - hourOf("dormouse-daily") + 24) % 24;

  it("reports a missed night by the next watch, however late the last backup began", () => {
    assert.ok(sinceBackup + 24 - ROOM_HOURS > stale, `${sinceBackup + 24} hours old, ${stale} allowed`);
  });

  it("reports no night that was not missed, also if its backup took its time", () => {
    assert.ok(sinceBackup - ROOM_HOURS > 0);
    assert.ok(sinceBackup + ROOM_HOURS < stale);
  });

  it("is the one of the documents", async () => {
    const page = await readFile(join(MANIFESTS, "../docs/retention.md"), "utf8");
    const clock = (name: string) => `${String(hourOf(name)).padStart(2, "0")}:00`;

    assert.ok(page.includes(`\`STALE_HOURS\` (${stale})`));
    for (const name of ["dormouse-daily", "dormouse-watch"])
      assert.ok(page.includes(clock(name)), clock(name));
  });
});
