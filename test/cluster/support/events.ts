import assert from "node:assert/strict";
import type { CatalogListing } from "../../../shared/catalog/catalog.ts";
import type { Run } from "../../../shared/run/run.ts";
import type { Installation } from "./namespace.ts";

/** Sets when the ping source fires. */
export async function schedule({ kubectl }: Installation, cron: string): Promise<void> {
  const patch = JSON.stringify({ spec: { schedule: cron } });
  await kubectl("patch pingsource dormouse-daily --type=merge --patch", patch);
}

/** As a PingSource sends them. */
export function pingHeaders(id: string): Record<string, string> {
  return {
    "ce-id": id,
    "ce-source": "/apis/v1/namespaces/e2e/pingsources/test",
    "ce-type": "dev.knative.sources.ping",
    "ce-specversion": "1.0",
    "ce-time": new Date().toISOString(),
  };
}

export async function countBackups({ call }: Installation): Promise<number> {
  const { status, body } = await call("dormouse-backup");
  assert.equal(status, 200, body);
  return (JSON.parse(body) as CatalogListing).backups.length;
}

/** The records of the runs that an event has. */
export async function createRuns({ onVolume }: Installation, event: string): Promise<readonly Run[]> {
  const records = await onVolume("for run in .dormouse/runs/backup-*.json; do tr -d '\\n' <$run; echo; done");
  const runs = records.split("\n").map((record) => JSON.parse(record) as Run);
  return runs.filter(({ trigger }) => trigger.id === event);
}
