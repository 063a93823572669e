import type { Catalog } from "../../catalog/catalog.ts";
import { DormouseError } from "../../errors.ts";
import { findNamespace } from "../../kubernetes/namespace.ts";
import type { EventSink, OutcomeEvent } from "../event-sink.ts";
import type { Message } from "./message.ts";
import { describeEvent } from "./message-rules.ts";
import { oneLine } from "./one-line.ts";
import type { NotifyConfig, Receiver } from "./receiver.ts";
import { listReceivers } from "./receivers.ts";
import { isToldAlready, noteTold, readTold, type Told } from "./told.ts";

const TIMEOUT_MS = 5_000;
const TRIES = 2;

/**
 * Tells people of what they should know, at all receivers side by side. `send` throws `notification_failed`, which names
 * the hosts that did not take it; the others have. `volume` lists what is trusted.
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
      const told = trouble && (await readTold(folder, trouble));
      if (trouble !== undefined && told !== undefined && isToldAlready(told, trouble)) return;
      const whole = {
        ...message,
        lines: [...message.lines, ...(await listStakes(volume, message, told, signal))],
      };
      const failed = await tellAll(receivers, whole, where, signal);
      signal.throwIfAborted();
      // One that heard of it is enough to keep quiet for a day.
      if (trouble !== undefined && told !== undefined && failed.length < receivers.length)
        await noteTold(folder, trouble, told).catch(() => undefined);
      if (failed.length > 0) throw notTold(event, failed);
    },
  };
}

/** The hosts that did not take it, each with why. */
export async function tellAll(
  receivers: readonly Receiver[],
  message: Message,
  where: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { title, lines } = message;
  const harmless = { ...message, title: oneLine(title), lines: lines.map(oneLine) };
  const told = await Promise.all(receivers.map((receiver) => tell(receiver, harmless, where, signal)));
  return told.filter((fault) => fault !== undefined);
}

async function tell(
  receiver: Receiver,
  message: Message,
  where: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  let why = "";
  for (let attempt = 1; attempt <= TRIES && !signal.aborted; attempt += 1) {
    const fault = await receiver.send(
      message,
      where,
      AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    );
    if (fault === undefined) return undefined;
    why = fault.why;
    if (!fault.mayPass) break;
  }
  return `${receiver.host}: ${why}`;
}

/** Since when it is wrong, and what the last backup is that would be restored now. */
async function listStakes(
  volume: Pick<Catalog, "list">,
  { database }: Message,
  told: Told | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  const isOld = told !== undefined && Object.keys(told.told).length > 0;
  const since = isOld ? [`since: ${told.since.slice(0, 16).replace("T", " ")} UTC`] : [];
  if (database === undefined) return since;
  const { describeNewest } = await import("./newest-backup.ts");
  return [...since, await describeNewest(volume, database, signal)];
}

function notTold({ type }: OutcomeEvent, failed: readonly string[]): DormouseError {
  return new DormouseError("notification_failed", `people were not told of ${type}: ${failed.join("; ")}`, {
    hint: "check NOTIFY_URL and NOTIFY_SMTP_URL, and the proxy and certificates on the way there; the run itself is not affected",
  });
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
