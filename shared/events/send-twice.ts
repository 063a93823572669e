import { sendHttp, type HttpRequest, type OutboundConfig } from "./http-request.ts";
import { describeFailure, describeRefusal } from "./sink-fault.ts";

const TIMEOUT_MS = 5_000;

/** Resolves to why the second try failed as well, or to nothing once one was taken. Rejects where `signal` aborts. */
export async function sendTwice(
  url: string,
  request: HttpRequest,
  outbound: OutboundConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  let why: string | undefined;
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      why = describeRefusal(await sendHttp(url, request, { outbound }, limit))?.why;
      if (why === undefined) return undefined;
    } catch (error) {
      signal.throwIfAborted();
      why = describeFailure(error).why;
    }
  }
  return why;
}
