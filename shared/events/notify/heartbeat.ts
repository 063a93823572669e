import type { Problem } from "../../errors.ts";
import { askHttp, type HttpRequest, type Way } from "../http-ask.ts";
import { describeFailure, describeRefusal } from "../sink-fault.ts";

/** `log` is an entry that says nothing of a run. */
export type Beat =
  { readonly state: "start" | "success" | "log" } | { readonly state: "fail"; readonly problem: Problem };
type Asked = { readonly url: string; readonly request: HttpRequest };

const TIMEOUT_MS = 5_000;

/**
 * Tells a monitor that a run began or ended: healthchecks.io and what speaks like it by default; push monitors of Uptime Kuma
 * (`/api/push/`) and telemetry of Cronitor (`cronitor.link`) by their URL. Rejects with the monitor's host and why. Resolves to
 * whether that kind of monitor has a request for it.
 */
export async function beat(url: string, what: Beat, way: Way, signal: AbortSignal): Promise<boolean> {
  const asked = requestOf(new URL(url), what);
  if (asked === undefined) return false;
  const why = await describeFault(asked, way, signal);
  if (why !== undefined) throw new Error(`${new URL(url).host}: ${why}`);
  return true;
}

async function describeFault({ url, request }: Asked, way: Way, signal: AbortSignal) {
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

/** What Uptime Kuma and Cronitor call each state; what they have no word for they are not told. */
const OF_KUMA = { start: undefined, success: "up", fail: "down", log: undefined };
const OF_CRONITOR = { start: "run", success: "complete", fail: "fail", log: undefined };
const SUFFIXES = { start: "/start", success: "", fail: "/fail", log: "/log" };

function requestOf(url: URL, what: Beat): Asked | undefined {
  const { text, hint } = wordsOf(what);
  if (url.pathname.includes("/api/push/"))
    return byQuery(url, { status: OF_KUMA[what.state], msg: text.slice(0, 200) || "OK" });
  if (url.hostname === "cronitor.link")
    return byQuery(url, { state: OF_CRONITOR[what.state], message: text.slice(0, 2_000) });
  url.pathname = url.pathname.replace(/\/$/, "") + SUFFIXES[what.state];
  return {
    url: url.href,
    request: { method: "POST", headers: { "content-type": "text/plain; charset=utf-8" }, body: text + hint },
  };
}

function byQuery(url: URL, query: Readonly<Record<string, string | undefined>>): Asked | undefined {
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) return undefined;
    if (value !== "") url.searchParams.set(name, value);
  }
  return { url: url.href, request: { method: "GET", headers: {} } };
}

function wordsOf(what: Beat): { readonly text: string; readonly hint: string } {
  if (what.state !== "fail") return { text: "", hint: "" };
  const { message, code, hint } = what.problem;
  return { text: `${message} (${code})`, hint: hint === undefined ? "" : `\n${hint}` };
}
