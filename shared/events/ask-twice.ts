import { askHttp, type HttpRequest, type Way } from "./http-ask.ts";
import { describeFailure, describeRefusal } from "./sink-fault.ts";

const TIMEOUT_MS = 5_000;

/** Resolves to why the second try failed as well, or to nothing once one was taken. Rejects where `signal` aborts. */
export async function askTwice(
  url: string,
  request: HttpRequest,
  way: Way,
  signal: AbortSignal,
): Promise<string | undefined> {
  let why: string | undefined;
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      why = describeRefusal(await askHttp(url, request, { way }, limit))?.why;
      if (why === undefined) return undefined;
    } catch (error) {
      signal.throwIfAborted();
      why = describeFailure(error).why;
    }
  }
  return why;
}
