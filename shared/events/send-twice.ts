import { unlessAborted } from "../waiting.ts";
import { describeFailure } from "./sink-fault.ts";

const TIMEOUT_MS = 5_000;

/** Why something was not taken. What may pass is tried again. */
export type Fault = { readonly why: string; readonly mayPass: boolean };

/** One try: the fault, or an error where there was no answer. */
export type Send<F extends Fault = Fault> = (limit: AbortSignal) => Promise<F | undefined>;

/** Resolves to why the last try failed, or to nothing once one was taken. Rejects where `signal` aborts. */
export async function sendTwice(send: Send, signal: AbortSignal): Promise<string | undefined> {
  let fault = await sendOnce(send, TIMEOUT_MS, signal);
  if (fault?.mayPass === true) fault = await sendOnce(send, TIMEOUT_MS, signal);
  return fault?.why;
}

export async function sendOnce<F extends Fault>(send: Send<F>, timeoutMs: number, signal: AbortSignal) {
  signal.throwIfAborted();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    // A library may never learn that its answer has broken off.
    return await unlessAborted(send(limit), limit);
  } catch (error) {
    signal.throwIfAborted();
    return describeFailure(error);
  }
}
