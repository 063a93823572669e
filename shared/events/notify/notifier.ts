import type { Catalog } from "../../catalog/catalog.ts";
import { DormouseError } from "../../errors.ts";
import { findNamespace } from "../../kubernetes/namespace.ts";
import type { OutcomeEvent } from "../../run/run.ts";
import type { EventSink } from "../event-sink.ts";
import type { Message } from "./message.ts";
import { sendTwice } from "../send-twice.ts";
import { describeEvent } from "./message-rules.ts";
import { oneLine } from "./one-line.ts";
import type { NotifyConfig, Receiver } from "./receiver.ts";
import { listReceivers } from "./receivers.ts";
import { isReported, recordReport, readTrouble, type TroubleRecord } from "./trouble.ts";

/**
 * Sends messages to people, at all receivers side by side. `send` throws `notification_failed`, which names the hosts that
 * did not take it; the others did. `volume` lists what is trusted.
 */
export function notifier(config: NotifyConfig, volume: Pick<Catalog, "list">): EventSink | undefined {
  const receivers = listReceivers(config);
  if (receivers.length === 0) return undefined;
  const { BACKUP_DIR: folder, NOTIFY_ON: asked = [] } = config;
  const where = findNamespace(config.POD_NAMESPACE) ?? "";
  return {
    async send(event, _run, signal) {
      const message = describeEvent(event, asked, where);
      if (message === undefined) return;
      const { trouble } = message;
      const known = trouble && (await readTrouble(folder, trouble));
      if (trouble !== undefined && known !== undefined && isReported(known, trouble)) return;
      const whole = {
        ...message,
        lines: [...message.lines, ...(await listStakes(volume, message, known, signal))],
      };
      const failed = await sendToAll(receivers, whole, where, signal);
      // One that took it is enough to keep quiet for a day.
      if (trouble !== undefined && known !== undefined && failed.length < receivers.length)
        await recordReport(folder, trouble, known).catch(() => undefined);
      if (failed.length > 0) throw notDelivered(event, failed);
    },
  };
}

/** The hosts that did not take it, each with why. Rejects where `signal` aborts. */
export async function sendToAll(
  receivers: readonly Receiver[],
  message: Message,
  where: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { title, lines } = message;
  const harmless = { ...message, title: oneLine(title), lines: lines.map(oneLine) };
  const failed = await Promise.all(
    receivers.map(async (receiver) => {
      const why = await sendTwice((limit) => receiver.send(harmless, where, limit), signal);
      return why === undefined ? [] : [`${receiver.host}: ${why}`];
    }),
  );
  return failed.flat();
}

/** Since when it is wrong, and what the last backup is that would be restored now. */
async function listStakes(
  volume: Pick<Catalog, "list">,
  { database }: Message,
  known: TroubleRecord | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  const isOld = known !== undefined && Object.keys(known.told).length > 0;
  const since = isOld ? [`since: ${known.since.slice(0, 16).replace("T", " ")} UTC`] : [];
  if (database === undefined) return since;
  const { describeNewest } = await import("./newest-backup.ts");
  return [...since, await describeNewest(volume, database, signal)];
}

function notDelivered({ type }: OutcomeEvent, failed: readonly string[]): DormouseError {
  return new DormouseError(
    "notification_failed",
    `message about ${type} was not delivered: ${failed.join("; ")}`,
    {
      hint: "check NOTIFY_URL and NOTIFY_SMTP_URL, and the proxy and certificates on the way there; the run itself is not affected",
    },
  );
}

/** Sends to both side by side. Throws what failed when both have ended: an AggregateError where both did. */
export function both(first: EventSink, second: EventSink | undefined): EventSink {
  if (second === undefined) return first;
  return {
    async send(event, run, signal) {
      const ended = await Promise.allSettled([
        first.send(event, run, signal),
        second.send(event, run, signal),
      ]);
      const reasons = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
      if (reasons.length > 1) throw new AggregateError(reasons);
      if (reasons.length > 0) throw reasons[0];
    },
  };
}
