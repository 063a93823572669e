import assert from "node:assert/strict";
import { it } from "node:test";
import { restoreHandler, type RestoreWiring } from "../../../../functions/restore/handler.ts";
import { databaseChoice } from "../../../../shared/config/database-choice.ts";
import { DormouseError } from "../../../../shared/errors.ts";

const choice = databaseChoice({ POSTGRESQL_DATABASES: ["*"] });
const event = {
  type: "dev.knative.sources.ping",
  data: { filename: "latest", into: "scratch", database: "hets" },
};

const CASES = [
  [
    "is refused where the volume has no backup of it",
    async () => ({ backups: [], legacy: [] }),
    "request_invalid",
  ],
  [
    "is to come again where the volume does not answer",
    async () => Promise.reject(new DormouseError("volume_silent", "the volume does not answer")),
    "volume_silent",
  ],
] as const;
for (const [what, list, code] of CASES)
  it(`an event for a rehearsal of a database that a pattern includes ${what}`, async () => {
    const wiring = { depsOf: () => ({ choice, volume: { list } }), choice } as unknown as RestoreWiring;

    await assert.rejects(restoreHandler(wiring).parseEvent(event), { code });
  });
