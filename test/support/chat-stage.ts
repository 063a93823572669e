import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { notifier } from "../../shared/events/notify/notifier.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";
import { webhooks } from "./webhooks.ts";

export const problem = {
  code: "dump_failed",
  message: "pg_dump ended with 1: it says <no> & nothing",
  hint: "look at its log",
};
export const failed: OutcomeEvent = {
  type: "dev.dormouse.backup.failed",
  subject: "hets",
  data: { run: "backup-1", database: "hets", problem },
};
export const completed: OutcomeEvent = {
  type: "dev.dormouse.restore.completed",
  subject: "2026-11-22/hets2026-11-22-01-00.bak",
  data: {
    run: "restore-1",
    compared: { tables: 3, rows: 1000 },
    downtimeMs: 95,
    undo: { body: { undo: "restore-1" } },
  },
};

/** A chat, and a function of the namespace `prod` that reports to it. */
export async function chatStage() {
  return {
    ...(await webhooks()),
    send: async (
      folder: string,
      targets: readonly string[],
      event: OutcomeEvent,
      volume: Parameters<typeof notifier>[1] = volumeCatalog(folder),
    ) =>
      notifier({ BACKUP_DIR: folder, NOTIFY_URL: targets, POD_NAMESPACE: "prod" }, volume)?.send(
        event,
        "run",
        AbortSignal.timeout(60_000),
      ),
  };
}
