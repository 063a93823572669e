import { asDormouseError, DormouseError } from "../../errors.ts";
import type { EventSink, OutcomeEvent } from "../event-sink.ts";
import type { Proxies } from "../http-ask.ts";
import { describeFailure, describeRefusal } from "../sink-fault.ts";
import { postTo, readTarget, type Target } from "./chat.ts";
import { describeEvent } from "./message.ts";
import { isToldAlready, noteTold } from "./told.ts";

export type NotifyConfig = Proxies & {
  /** Webhooks, each as `readTarget` takes it. */
  readonly NOTIFY_URL?: readonly string[] | undefined;
  readonly BACKUP_DIR: string;
  readonly POD_NAMESPACE?: string | undefined;
};

const TIMEOUT_MS = 10_000;
const TRIES = 2;

/**
 * Tells people of what they should know, at all webhooks side by side. `send` throws `notification_failed`, which names the
 * hosts that did not take it; the others have.
 */
export function notifier(config: NotifyConfig): EventSink | undefined {
  const targets = (config.NOTIFY_URL ?? []).flatMap((text) => readTarget(text) ?? []);
  if (targets.length === 0) return undefined;
  return {
    async send(event, _run, signal) {
      const message = describeEvent(event);
      if (message === undefined) return;
      const key = message.once === undefined ? undefined : `${event.type} ${message.once}`;
      if (key !== undefined && (await isToldAlready(config.BACKUP_DIR, key))) return;
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TRIES * TIMEOUT_MS)]);
      const where = config.POD_NAMESPACE ?? "";
      const told = await Promise.all(
        targets.map((target) => tell(target, postTo(target.kind, message, where), config, limit)),
      );
      signal.throwIfAborted();
      const failed = told.filter((fault) => fault !== undefined);
      // One that heard of it is enough to keep quiet for a day.
      if (key !== undefined && failed.length < targets.length)
        await noteTold(config.BACKUP_DIR, key).catch(() => undefined);
      if (failed.length > 0) throw notTold(event, failed);
    },
  };
}

/** Why a target was not reached, with its host. */
async function tell(
  { url, host }: Target,
  { headers, body }: ReturnType<typeof postTo>,
  proxies: Proxies,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { askHttp } = await import("../http-ask.ts");
  let why = "";
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const fault = describeRefusal(
        await askHttp(url, { method: "POST", headers, body }, { proxies }, limit),
      );
      if (fault === undefined) return undefined;
      why = fault.why;
      if (!fault.mayPass) break;
    } catch (error) {
      why = describeFailure(error).why;
    }
    if (signal.aborted) break;
  }
  return `${host}: ${why}`;
}

function notTold({ type }: OutcomeEvent, failed: readonly string[]): DormouseError {
  return new DormouseError("notification_failed", `people were not told of ${type}: ${failed.join("; ")}`, {
    hint: "check NOTIFY_URL, and the proxy and certificates on the way there; the run itself is not affected",
  });
}

/** Sends to both side by side. Throws the first failure when both have ended. */
export function both(first: EventSink, second: EventSink | undefined): EventSink {
  if (second === undefined) return first;
  return {
    async send(event, run, signal) {
      const ended = await Promise.allSettled([
        first.send(event, run, signal),
        second.send(event, run, signal),
      ]);
      const reasons = ended.flatMap((each) =>
        each.status === "rejected" ? [asDormouseError(each.reason)] : [],
      );
      const [reason, other] = reasons;
      if (reason === undefined) return;
      if (other === undefined) throw reason;
      throw new DormouseError(reason.code, `${reason.message}; ${other.message}`, {
        hint: reason.hint,
        cause: reason,
      });
    },
  };
}
