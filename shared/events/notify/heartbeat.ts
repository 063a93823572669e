import type { Problem } from "../../errors.ts";
import { sendTwice } from "../send-twice.ts";
import { describeRefusal } from "../sink-fault.ts";
import { sendHttp, type HttpRequest, type OutboundConfig } from "../http-request.ts";

/** `log` is an entry that counts for no run. */
export type Beat =
  { readonly state: "start" | "success" | "log" } | { readonly state: "fail"; readonly problem: Problem };
type Asked = { readonly url: string; readonly request: HttpRequest };

/**
 * Reports to a monitor that a run began or ended: healthchecks.io and what speaks like it by default; push monitors of Uptime Kuma
 * (`/api/push/`) and telemetry of Cronitor (`cronitor.link`) by their URL. Rejects with the monitor's host and why. Resolves to
 * whether that kind of monitor has a request for it.
 */
export async function beat(
  url: string,
  what: Beat,
  outbound: OutboundConfig,
  signal: AbortSignal,
): Promise<boolean> {
  const asked = requestOf(new URL(url), what);
  if (asked === undefined) return false;
  const why = await sendTwice(
    async (limit) => describeRefusal(await sendHttp(asked.url, asked.request, { outbound }, limit)),
    signal,
  );
  if (why !== undefined) throw new Error(`${new URL(url).host}: ${why}`);
  return true;
}

/** What Uptime Kuma and Cronitor call each state; what they have no word for is not sent. */
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
